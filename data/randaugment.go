package data

// mostDrawn bounds the steps that RandAugment takes.
const mostDrawn = 8

// randSteps are those that RandAugment draws from, as AutoAugment has them (Cubuk
// et al. 2019, table 6): what the magnitude of 10 means, and that of 0. Identity
// is none.
var randSteps = []struct {
	op        Op
	none, all float64
	signed    bool // the amount may be as far on the other side of none
}{
	{op: ""},
	{op: Autocontrast},
	{op: Equalize},
	{Rotate, 0, 30, true},
	{Solarize, 256, 0, false},
	{Saturation, 1, 1.9, true},
	{Posterize, 8, 4, false},
	{Contrast, 1, 1.9, true},
	{Brightness, 1, 1.9, true},
	{Sharpness, 1, 1.9, true},
	{ShearX, 0, 0.3, true},
	{ShearY, 0, 0.3, true},
	{TranslateX, 0, 150. / 331, true},
	{TranslateY, 0, 150. / 331, true},
}

// drawn is the step that random words choose.
func (s *Step) drawn(words [4]uint32) Step {
	r := &randSteps[int(unit(words[0])*float64(len(randSteps)))]
	far := (r.all - r.none) * s.amount(words[1]) / 10
	if r.signed && words[2]&1 == 1 {
		far = -far
	}
	return Step{Op: r.op, Lo: r.none + far, Hi: r.none + far, P: 1}
}

// each calls do with the steps that a view takes, in order; in the place of
// RandAugment with those that it draws. k is the place in the list.
func (a Augment) each(v view, do func(s Step, k int)) {
	for k := range a {
		switch s := &a[k]; {
		case !v.taken(s, k):
		case s.Op == RandAugment:
			for n := range s.H {
				do(s.drawn(v.words(k, 1+n)), k)
			}
		default:
			do(*s, k)
		}
	}
}
