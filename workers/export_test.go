package workers

// Spares returns the process ids of the spares that are ready.
func (w *Worker) Spares() []int {
	s := w.pool.spares
	s.mu.Lock()
	defer s.mu.Unlock()
	var pids []int
	for _, l := range s.litters {
		for _, child := range l.born {
			pids = append(pids, child.PID())
		}
	}
	return pids
}

// Busy is how many tasks are running or not yet settled.
func (w *Worker) Busy() int { return int(w.busy.Load()) }
