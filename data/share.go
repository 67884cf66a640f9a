package data

import "fmt"

// Share is the part of the batches that one of several loaders makes, such as those of the ranks
// of a training: of each Of batches of an epoch, counted from its first, those from From up to
// but without To. The others are neither read nor decoded. The zero Share is all batches.
//
// If the Shares of some loaders are [0,a), [a,b), ... [z,Of), each batch is made by exactly one
// of them, whatever the number of batches is. A share may have no batch in an epoch that has few.
type Share struct{ Of, From, To int }

// has reports whether batch k of an epoch belongs to the share.
func (s Share) has(k int) bool {
	if s.Of == 0 {
		return true
	}
	k %= s.Of
	return k >= s.From && k < s.To
}

// empty reports whether no batch of an epoch of so many belongs to the share.
func (s Share) empty(batches int) bool { return s.Of > 0 && s.From >= batches }

// check says what is wrong with the share, if anything.
func (s Share) check() error {
	if s != (Share{}) && !(0 <= s.From && s.From < s.To && s.To <= s.Of) {
		return fmt.Errorf("a share of batches %d to %d of each %d is none", s.From, s.To, s.Of)
	}
	return nil
}
