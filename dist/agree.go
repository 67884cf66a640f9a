package dist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
)

// RankError is the failure of another rank.
type RankError struct {
	Rank int
	Err  error
}

// Error names the rank.
func (e *RankError) Error() string { return fmt.Sprintf("rank %d: %v", e.Rank, e.Err) }

// Unwrap is for errors.Is.
func (e *RankError) Unwrap() error { return e.Err }

// AgreedError is a failure of this rank that every rank knows of: each ends by itself, and none
// needs to be aborted.
type AgreedError struct{ Err error }

// Error is the message of Err.
func (e *AgreedError) Error() string { return e.Err.Error() }

// Unwrap is for errors.Is.
func (e *AgreedError) Unwrap() error { return e.Err }

// Agree makes all ranks return an error where one does: an AgreedError. A rank that has none, or
// one of the same words as a rank before it, returns a RankError, which that rank reports.
func Agree(ctx context.Context, g Group, err error) error {
	var mine []byte
	if err != nil {
		mine = []byte(err.Error())
	}
	all, failed := g.Gather(ctx, mine)
	if failed != nil {
		return failed
	}
	first := slices.IndexFunc(all, func(m []byte) bool { return len(m) > 0 })
	switch {
	case first < 0:
		return nil
	case err != nil && (first == g.Rank() || !bytes.Equal(all[first], mine)):
		return &AgreedError{err}
	}
	return &RankError{Rank: first, Err: errors.New(string(all[first]))}
}
