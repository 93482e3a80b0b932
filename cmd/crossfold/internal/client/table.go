package client

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/crossfold/crossfold/arrowipc/source"
	"github.com/crossfold/crossfold/arrowipc/store"
)

// ErrData says that a data file can't be used.
var ErrData = errors.New("bad data file")

// Table is a data file that is a dataset of the cluster.
type Table struct {
	source.Dataset
	store *store.Store
	// scratch is a folder to remove in Close, or "".
	scratch string
}

// Load makes the data file at path a dataset of the cluster: in its store folder on this host, else
// over the connection. storeDir is the coordinator's. The caller closes the table.
func (c *Client) Load(ctx context.Context, path, storeDir string) (*Table, error) {
	t := &Table{}
	if !c.local {
		scratch, err := os.MkdirTemp("", "crossfold-data-")
		if err != nil {
			return nil, fmt.Errorf("folder for the data: %w", err)
		}
		t.scratch, storeDir = scratch, scratch
	}
	if err := t.read(ctx, path, storeDir); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	if !c.local {
		if err := c.Send(ctx, t.store, t.ID); err != nil {
			return nil, errors.Join(err, t.Close())
		}
	}
	return t, nil
}

func (t *Table) read(ctx context.Context, path, storeDir string) (err error) {
	if t.store, err = store.Open(storeDir); err != nil {
		return err
	}
	t.Dataset, err = source.Read(ctx, t.store, path, source.Options{})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", ErrData, err)
	}
	return err
}

// Column returns the values of one column. The caller releases them.
func (t *Table) Column(name string) (*arrow.Chunked, error) {
	return source.Column(t.store, t.ID, name)
}

// Close removes what the table keeps on this host beside the cluster's store.
func (t *Table) Close() error {
	if t.scratch == "" {
		return nil
	}
	return os.RemoveAll(t.scratch)
}
