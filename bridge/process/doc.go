// Package process runs Python for a worker: a zygote that has imported everything, and the
// children it forks.
//
// # Handshake
//
// StartZygote runs `python -P -m crossfold._runtime --fd N --store DIR` with one end of a Unix
// socket as descriptor N, in a process group of its own, with one thread for every numeric library.
// The zygote imports and answers ZygoteReady, the version of the frames in it. From then on Fork
// sends a Fork frame and, with it, three descriptors: the child's socket, the log that takes the
// place of its standard output and error, and a page of shared memory in which the child keeps the
// index of the unit that runs and results that it has not sent yet. The zygote answers Forked, the
// child ChildReady on its own socket.
//
// # Ends
//
// A process ends when its socket is closed; every process also asks the kernel to kill it when its
// parent ends, so nothing survives a crash on either side. A child leads a process group: killing
// it kills what it started. The zygote reports how each child ended; Run turns that into an
// ExitError with the child's last words.
package process
