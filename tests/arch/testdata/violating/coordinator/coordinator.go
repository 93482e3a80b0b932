// Package coordinator stands for a room that others may not enter.
package coordinator
