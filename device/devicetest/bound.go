package devicetest

import "github.com/hubel-go/hubel/device"

// Bound is a case with its arguments on a device.
type Bound struct {
	c      Case
	t      []device.Tensor // absent arguments are zero Tensors
	ws     device.Buffer
	packed device.Buffer
	blocks []*block // of the arguments, nil where absent
	hidden []*block // of scratch and packed weights
	maps   []device.EpilogueMap
}

// firstMap is the maps without those behind the first, which make no error larger.
func (b *Bound) firstMap() []device.EpilogueMap { return b.maps[:min(1, len(b.maps))] }

// Bind puts the arguments of the case, filled from a fixed seed, on a device
// and packs weights where the device wants that.
func (c Case) Bind(dev device.Device) (*Bound, error) {
	q, err := dev.NewQueue()
	if err != nil {
		return nil, err
	}
	defer q.Close()
	return c.bind(dev, q, c.values(1))
}

// Launch enqueues the kernel. On a warm queue it allocates nothing.
func (b *Bound) Launch(q device.Queue) { b.c.call(q, b) }

// Close frees the arguments.
func (b *Bound) Close() error {
	for _, k := range append(b.blocks, b.hidden...) {
		if k == nil {
			continue
		}
		if err := k.whole.Buffer.Free(); err != nil {
			return err
		}
	}
	return nil
}

// bind puts the values on the device, each between guards.
func (c Case) bind(dev device.Device, q device.Queue, values []any) (*Bound, error) {
	b := &Bound{c: c, t: make([]device.Tensor, len(c.args)), blocks: make([]*block, len(c.args))}
	for i, a := range c.args {
		if a.absent() {
			continue
		}
		k, err := newBlock(dev, a.name, a.dtype, values[i])
		if err != nil {
			return nil, err
		}
		k.upload(q)
		b.blocks[i] = k
		b.t[i] = device.Tensor{Buffer: k.middle(), DType: a.dtype, Shape: a.shape}
	}
	if c.maps != nil {
		b.maps = c.maps(b)
	}
	needs := dev.Traits().Needs(c.operation)
	var err error
	if b.ws, err = b.hide(dev, q, "scratch", needs.Scratch); err != nil {
		return nil, err
	}
	if b.packed, err = b.hide(dev, q, "packed weights", needs.Packed); err != nil {
		return nil, err
	}
	if b.packed != nil {
		c.pack(q, b)
	}
	return b, q.Sync()
}

// hide allocates memory that only the kernel looks into, filled with NaN. No
// bytes are no buffer.
func (b *Bound) hide(dev device.Device, q device.Queue, name string, bytes int64) (device.Buffer, error) {
	if bytes == 0 {
		return nil, nil
	}
	k, err := newBlock(dev, name, device.Uint8, allOnes(device.Uint8, int(bytes)))
	if err != nil {
		return nil, err
	}
	k.upload(q)
	b.hidden = append(b.hidden, k)
	return k.middle(), nil
}
