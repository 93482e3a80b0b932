package arch

import "slices"

// module is the import path that rooms are relative to.
const module = "github.com/crossfold/crossfold/"

// Groups of imports that rooms may not use directly.
var (
	grpc  = []string{"google.golang.org/grpc"}
	nats  = []string{"github.com/nats-io"}
	io    = []string{"database/sql", "io/fs", "net", "os", "syscall"}
	clock = []string{"sync", "time"}
)

// rule is one room and what its packages may import. The rule of the innermost room applies.
type rule struct {
	// room is a folder of the module; it covers the folders below it.
	room string
	// rooms lists the folders of the module it may import, itself left out.
	rooms []string
	// bans lists import paths outside the module it may not name; a path covers those below it.
	bans []string
	// pure forbids goroutines as well.
	pure bool
}

// rules is the house of docs/architecture.md. cmd and tests are missing: they may enter every room.
var rules = []rule{
	{room: "proto"},
	{room: "arrowipc", rooms: []string{"proto"}, bans: slices.Concat(grpc, nats)},
	{room: "arrowipc/partition", rooms: []string{"proto", "arrowipc/internal"}, bans: slices.Concat(grpc, nats, io), pure: true},
	{room: "bridge", rooms: []string{"proto", "arrowipc"}, bans: slices.Concat(grpc, nats)},
	{room: "bridge/policy", bans: slices.Concat(grpc, nats, []string{"github.com/apache/arrow"})},
	{room: "workers", rooms: []string{"proto", "arrowipc", "bridge", "coordinator/queue"}},
	{room: "coordinator", rooms: []string{"proto", "arrowipc"}, bans: nats},
	{room: "coordinator/plan", rooms: []string{"proto"}, bans: slices.Concat(nats, io, clock), pure: true},
	{room: "coordinator/gather", rooms: []string{"proto", "coordinator/plan"}, bans: slices.Concat(nats, io), pure: true},
	{room: "coordinator/ensemble", rooms: []string{"proto", "arrowipc"}, bans: slices.Concat(nats, io), pure: true},
	{room: "coordinator/rules", rooms: []string{"coordinator/gather", "bridge/policy"}, bans: slices.Concat(grpc, nats)},
	{room: "coordinator/queue", rooms: []string{"proto", "coordinator/internal"}},
	{room: "coordinator/server", rooms: []string{"proto", "arrowipc", "coordinator"}, bans: nats},
}

// ruleFor returns the rule of the innermost room that holds the folder.
func ruleFor(folder string, rules []rule) (rule, bool) {
	var found rule
	for _, r := range rules {
		if within(folder, r.room) && len(r.room) > len(found.room) {
			found = r
		}
	}
	return found, found.room != ""
}

// within says whether path is parent or below it.
func within(path, parent string) bool {
	return path == parent || len(path) > len(parent) && path[:len(parent)] == parent && path[len(parent)] == '/'
}
