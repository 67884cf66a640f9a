package solver

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
)

// newShardedUpdater is the updater of a rank that keeps the optimiser's state of its part of each
// bucket, and updates the weights there. After an update, spread gives every rank all weights.
func newShardedUpdater(d device.Device, j *joint, o Optimiser) (*Updater, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	params, err := o.params(j.exec.Plan())
	if err != nil {
		return nil, err
	}
	u := &Updater{exec: j.exec, params: params, dw: j.mine, joint: j}
	var of []graph.Param // of the segments
	for i, s := range j.exec.Plan().Segments() {
		b := &j.buckets[j.of[params[i].Name]]
		from := b.from + j.offset(b)
		begin, end := max(s.Grad, from), min(s.Grad+s.Len, from+b.part.Len())
		if begin >= end {
			continue
		}
		u.segments = append(u.segments, device.Segment{
			Weight: s.Weight + begin - s.Grad,
			Grad:   b.place + begin - from,
			Len:    end - begin,
		})
		of = append(of, params[i])
	}
	return u, u.open(d, o, of)
}

// spread gives all ranks the weights that each has updated.
func (u *Updater) spread() error {
	if u.joint == nil {
		return nil
	}
	q := u.exec.Queue()
	q.Scope("exchange of the weights")
	w := u.exec.Weights().Slab()
	for _, s := range u.segments {
		q.Copy(floats(u.dw, s.Grad, s.Grad+s.Len), floats(w, s.Weight, s.Weight+s.Len))
	}
	if err := u.joint.gatherParts(u.dw); err != nil {
		return err
	}
	for _, p := range u.params {
		q.Copy(u.weight(p), u.exec.Gradient(p.Name))
	}
	u.exec.Weights().Changed()
	return nil
}

// collect puts a whole slab, of which ranks keep parts, into the memory of the gradients.
func (u *Updater) collect(i int) error {
	if u.joint == nil {
		return nil
	}
	return u.joint.gatherParts(u.slabs[i])
}

// give does this rank's part of the download of rank 0.
func (u *Updater) give() error {
	for i := range u.names {
		if err := u.collect(i); err != nil {
			return err
		}
	}
	return nil
}

// keepPart takes this rank's part of a slab out of the memory of the gradients.
func (u *Updater) keepPart(i int) {
	if u.joint == nil {
		return
	}
	q := u.exec.Queue()
	for k := range u.joint.buckets {
		b := &u.joint.buckets[k]
		if n := b.part.Len(); n > 0 {
			q.Copy(floats(u.slabs[i], b.place, b.place+n), b.part)
		}
	}
	q.Fill(u.exec.Gradients(), 0) // nothing ever writes the padding
}

// gatherParts puts the parts of all ranks, laid out as j.mine, into the memory of the gradients.
func (j *joint) gatherParts(mine device.Tensor) error {
	q := j.exec.Queue()
	for i := range j.buckets {
		b := &j.buckets[i]
		j.exchange.AllGather(q, b.gradient, floats(mine, b.place, b.place+b.part.Len()))
	}
	return j.exchange.Wait(q)
}
