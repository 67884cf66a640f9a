package vec

// Step is the factors of a step of gradient descent, as in device.SGD.
type Step struct{ Clip, Decay, Momentum, Rate float32 }

func sgd(w, v, dw []float32, s Step) {
	v, dw = v[:len(w)], dw[:len(w)]
	for i, weight := range w {
		g := float32(dw[i]*s.Clip) + float32(s.Decay*weight)
		v[i] = float32(s.Momentum*v[i]) - float32(s.Rate*g)
		w[i] = weight + v[i]
	}
}

func nesterov(w, v, dw []float32, s Step) {
	v, dw = v[:len(w)], dw[:len(w)]
	for i, weight := range w {
		g := float32(dw[i]*s.Clip) + float32(s.Decay*weight)
		old := v[i]
		next := float32(s.Momentum*old) - float32(s.Rate*g)
		v[i] = next
		w[i] = weight + (next + float32(s.Momentum*(next-old))) // (1+Momentum)*v' - Momentum*v
	}
}
