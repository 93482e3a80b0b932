package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// The client library's iterators forget to order the next message when the one before arrives
// while its order is being sent, and then wait for two heartbeats; so orders are sent here.
const (
	orderSubject = "$JS.API.CONSUMER.MSG.NEXT." + tasksStream + "." + workersConsumer
	// order asks for one message: for 30 s, with a heartbeat every 5 s.
	order = `{"batch":1,"expires":30000000000,"idle_heartbeat":5000000000}`
	// silence is how long the server may say nothing: two heartbeats.
	silence = 10 * time.Second
	// drainPatience is between two looks at an abandoned inbox.
	drainPatience = 250 * time.Millisecond
)

var (
	ackDone     = []byte("+ACK")
	ackNak      = []byte("-NAK")
	ackProgress = []byte("+WPI")
	ackTerm     = []byte("+TERM")
)

// errExpired says that an order ended without a message, as it does every 30 s.
var errExpired = errors.New("the order expired")

// pull orders one message at a time into an inbox of its own.
type pull struct {
	conn  *nats.Conn
	inbox *nats.Subscription
}

func newPull(conn *nats.Conn) (*pull, error) {
	inbox, err := conn.SubscribeSync(conn.NewInbox())
	if err != nil {
		return nil, err
	}
	return &pull{conn: conn, inbox: inbox}, nil
}

// next orders a message and waits for it. After an error the pull must be abandoned: its order may
// still stand.
func (p *pull) next(ctx context.Context) (*nats.Msg, error) {
	if err := p.conn.PublishRequest(orderSubject, p.inbox.Subject, []byte(order)); err != nil {
		return nil, err
	}
	for {
		message, err := p.wait(ctx)
		if err != nil {
			return nil, err
		}
		switch code := message.Header.Get("Status"); code {
		case "":
			return message, nil
		case "100": // a heartbeat
		case "408":
			return nil, errExpired
		default:
			return nil, fmt.Errorf("the server answered %s %s", code, message.Header.Get("Description"))
		}
	}
}

func (p *pull) wait(ctx context.Context) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	return p.inbox.NextMsgWithContext(ctx)
}

// abandon ends the pull; a message that was on its way goes back at once.
func (p *pull) abandon() {
	if p.inbox.Drain() != nil {
		return // the connection is gone, and the order with it
	}
	// Bounded by the drain: the server answers it, or the connection ends.
	go func() {
		for p.inbox.IsValid() {
			message, err := p.inbox.NextMsg(drainPatience)
			if err == nil && message.Header.Get("Status") == "" {
				_ = p.conn.Publish(message.Reply, ackNak) // a lost one is redelivered when its lease ends
			}
			if err != nil && !errors.Is(err, nats.ErrTimeout) {
				return
			}
		}
	}()
}
