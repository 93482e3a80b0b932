package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Memory is how many bytes the child and the processes below it hold for themselves, in memory or
// swapped out; mapped files and shared memory are left out. Of the pages that forked processes share
// each counts its part only. That is slow to find out, so it is left when the plain sum is at most
// enough. A process that has ended counts nothing.
func (c *Child) Memory(enough uint64) uint64 {
	pids := family(c.PID())
	total := sum(pids, held)
	if len(pids) == 1 || total <= enough {
		return total
	}
	return sum(pids, part)
}

func sum(pids []int, of func(pid int) uint64) (total uint64) {
	for _, pid := range pids {
		total += of(pid)
	}
	return total
}

// held is what a process holds, whether it shares it or not.
func held(pid int) uint64 {
	return kilobytes(fmt.Sprintf("/proc/%d/status", pid), "RssAnon:", "VmSwap:") << 10
}

// part is what a process holds, where a page that n processes share counts one n-th.
func part(pid int) uint64 {
	return kilobytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss_Anon:", "SwapPss:") << 10
}

// kilobytes adds up lines such as "VmSwap:    12 kB".
func kilobytes(path string, names ...string) (total uint64) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		words := bytes.Fields(line)
		for _, name := range names {
			if len(words) > 1 && string(words[0]) == name {
				value, _ := strconv.ParseUint(string(words[1]), 10, 64)
				total += value
			}
		}
	}
	return total
}

// family is a process and all below it.
func family(pid int) []int {
	pids := []int{pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, startedBy(pids[i])...)
	}
	return pids
}

// startedBy lists the living processes that the threads of a process started.
func startedBy(pid int) []int {
	threads := fmt.Sprintf("/proc/%d/task", pid)
	entries, _ := os.ReadDir(threads)
	var pids []int
	for _, entry := range entries {
		text, _ := os.ReadFile(threads + "/" + entry.Name() + "/children")
		for word := range bytes.FieldsSeq(text) {
			if child, err := strconv.Atoi(string(word)); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}
