// Package store talks to the bus, which it may not.
package store

import _ "github.com/nats-io/nats.go"
