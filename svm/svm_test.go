package svm_test

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/svm"
)

// clouds are normal samples around a mean of each class, the first of which are at their
// own scale and offset.
func clouds(samples, features, classes int, spread float64) svm.Set {
	r := rand.New(rand.NewPCG(uint64(samples), uint64(features)))
	means := make([]float64, classes*features)
	for i := range means {
		means[i] = r.NormFloat64()
	}
	s := svm.Set{Classes: classes}
	for i := range samples {
		k := i % classes
		s.Labels = append(s.Labels, k)
		for j := range features {
			v := means[k*features+j] + spread*r.NormFloat64()
			s.Features = append(s.Features, float32(v*float64(1+j%3)+float64(10*j)))
		}
	}
	return s
}

// gradient is the largest element of the objective's gradient at a machine, by the formula,
// and of that where weights and bias are 0.
func gradient(s svm.Set, m *svm.Model, class int) (there, zero float64) {
	n := len(s.Labels)
	d := len(s.Features) / n
	mean, deviation := make([]float64, d), make([]float64, d)
	for j := range d {
		for i := range n {
			mean[j] += float64(s.Features[i*d+j]) / float64(n)
		}
		for i := range n {
			deviation[j] += math.Pow(float64(s.Features[i*d+j])-mean[j], 2) / float64(n)
		}
		deviation[j] = math.Sqrt(deviation[j])
	}
	at := func(w []float64, b float64) (largest float64) {
		g := append(append([]float64(nil), w...), 0)
		for i, l := range s.Labels {
			y, score := -1.0, b
			if l == class {
				y = 1
			}
			x := make([]float64, d)
			for j := range d {
				x[j] = (float64(s.Features[i*d+j]) - mean[j]) / deviation[j]
				score += w[j] * x[j]
			}
			pull := -2 * m.C * y * max(0, 1-y*score)
			for j := range d {
				g[j] += pull * x[j]
			}
			g[d] += pull
		}
		for _, v := range g {
			largest = max(largest, math.Abs(v))
		}
		return largest
	}
	w, b := make([]float64, d), m.Biases[class] // for standardised features
	for j := range d {
		w[j] = m.Weights[class][j] * deviation[j]
		b += m.Weights[class][j] * mean[j]
	}
	return at(w, b), at(make([]float64, d), 0)
}

func train(t *testing.T, s svm.Set, costs ...float64) *svm.Model {
	t.Helper()
	m, err := svm.Train(t.Context(), s, svm.Options{Costs: costs})
	require.NoError(t, err)
	return m
}

// At the optimum of a convex function its gradient is 0: for more features than samples too,
// for classes that overlap and others, and for any C.
func TestGradientIsZero(t *testing.T) {
	for _, s := range []svm.Set{clouds(60, 5, 3, 2), clouds(40, 90, 4, 1), clouds(25, 25, 2, 0.1), clouds(7, 1, 2, 3)} {
		for _, c := range []float64{1e-9, 1e-6, 1e-3, 0.3, 100, 1e5} {
			m := train(t, s, c)
			for k := range s.Classes {
				there, zero := gradient(s, m, k)
				require.Less(t, there, 1e-6*zero, "%d samples, C %v, class %d", len(s.Labels), c, k)
			}
		}
	}
}

// Two samples at 3 and 7 are -1 and 1 if standardised. Then b is 0, and w²/2 + 2C(1-w)² is
// least at w = 4C/(1+4C): a half for C = 1/4. The deviation is 2 and the mean 5.
func TestTwoSamples(t *testing.T) {
	m := train(t, svm.Set{Features: []float32{3, 7}, Labels: []int{0, 1}, Classes: 2}, 0.25)
	require.InDelta(t, 0.25, m.Weights[1][0], 1e-9)
	require.InDelta(t, -1.25, m.Biases[1], 1e-9)
	require.InDelta(t, -0.25, m.Weights[0][0], 1e-9)
	require.InDelta(t, 1.25, m.Biases[0], 1e-9)
	require.InDeltaSlice(t, []float64{-0.5, 0.5}, m.Scores([]float32{7}), 1e-9)
}

// The numbers are scikit-learn 1.9.1's, where a large intercept_scaling makes the bias as
// good as free:
//
//	X = np.array([[(7*i*i + 3*i*j + 5*j*j + 2*i) % 11 + i%3*(j%3+1) for j in range(d)] for i in range(n)], float)
//	y = np.arange(n) % 3
//	s = StandardScaler().fit(X)
//	m = LinearSVC(C=C, dual=False, intercept_scaling=1e4, tol=1e-14, max_iter=1000000).fit(s.transform(X), y)
//	w = m.coef_ / s.scale_
//	print(w[:, :3], m.intercept_ - w @ s.mean_)
func TestScikitLearn(t *testing.T) {
	for _, c := range []struct {
		n, d    int
		c       float64
		weights [3][]float64 // the first ones
		biases  []float64
	}{
		{12, 2, 0.01, [3][]float64{{-0.027118, -0.034039}, {0.018547, 0.004352}, {0.00857, 0.029687}}, []float64{0.08755, -0.47134, -0.61621}},
		{12, 2, 1, [3][]float64{{-0.111752, -0.280204}, {0.116408, -0.039572}, {-0.034713, 0.250299}}, []float64{2.30917, -0.67, -2.30777}},
		{6, 9, 0.01, [3][]float64{{-0.017738, -0.018364, -0.006556}, {0.007807, -0.007655, -0.006371}, {0.009931, 0.026019, 0.012927}}, []float64{0.49338, -0.69155, -0.80183}},
		{6, 9, 1, [3][]float64{{-0.100159, -0.097452, 0.023382}, {0.045091, -0.047708, -0.033876}, {0.047399, 0.146979, 0.02333}}, []float64{1.82198, -1.60307, -1.23363}},
	} {
		s := svm.Set{Classes: 3}
		for i := range c.n {
			s.Labels = append(s.Labels, i%3)
			for j := range c.d {
				s.Features = append(s.Features, float32((7*i*i+3*i*j+5*j*j+2*i)%11+i%3*(j%3+1)))
			}
		}
		m := train(t, s, c.c)
		for k, w := range c.weights {
			require.InDeltaSlice(t, w, m.Weights[k][:len(w)], 1e-5)
		}
		require.InDeltaSlice(t, c.biases, m.Biases, 1e-4)
	}
}

// Samples that can be separated are, and those of a class that is not there get no sample.
func TestSeparable(t *testing.T) {
	s := clouds(60, 8, 3, 0.1)
	s.Classes = 5
	m, err := svm.Train(t.Context(), s, svm.Options{})
	require.NoError(t, err)
	require.Equal(t, 1.0, m.Accuracy(s))
	require.Len(t, m.Validation, 7)
	require.InDeltaSlice(t, []float64{-1, -1}, m.Scores(s.Features[:8])[3:], 1e-9)
	s.Labels[0] = 4
	require.InDelta(t, 59./60, m.Accuracy(s), 1e-9)
}

// A constant feature changes no other, and has the weight 0, whatever its value and however
// features are rotated.
func TestConstantFeature(t *testing.T) {
	for _, d := range []int{4, 40} {
		s := clouds(30, d, 2, 1)
		without := train(t, s, 0.01)
		with := svm.Set{Labels: s.Labels, Classes: 2}
		for i := range s.Labels {
			with.Features = append(append(with.Features, s.Features[i*d:(i+1)*d]...), 0.1)
		}
		m := train(t, with, 0.01)
		for k := range 2 {
			require.Zero(t, m.Weights[k][d])
			require.InDeltaSlice(t, without.Weights[k], m.Weights[k][:d], 1e-9)
		}
		require.InDeltaSlice(t, without.Biases, m.Biases, 1e-6)
	}
	m := train(t, svm.Set{Features: []float32{5, 5, 5}, Labels: []int{0, 1, 1}, Classes: 2}, 1)
	require.InDelta(t, 1./3, m.Scores([]float32{5})[1], 1e-9) // the mean of y, where the slack of all is least
	require.Equal(t, 1, m.Predict([]float32{7}))
}

// A larger scale of a feature, or an offset, changes no prediction.
func TestStandardised(t *testing.T) {
	s := clouds(40, 6, 3, 2)
	scaled := s
	scaled.Features = append([]float32(nil), s.Features...)
	for i := range scaled.Features {
		if i%6 == 2 {
			scaled.Features[i] = scaled.Features[i]*1024 - 512
		}
	}
	a, b := train(t, s, 0.1), train(t, scaled, 0.1)
	for i := range s.Labels {
		require.InDeltaSlice(t, a.Scores(s.Features[i*6:i*6+6]), b.Scores(scaled.Features[i*6:i*6+6]), 1e-4)
	}
}

// Cross-validation takes a C between one that sees the means of classes only, behind a noise
// that all features share, and one that learns wrong labels by heart. It takes the
// smallest of equal ones. Its bits depend on nothing but its arguments.
func TestValidation(t *testing.T) {
	const n, d = 90, 30
	r := rand.New(rand.NewPCG(1, 2))
	s := svm.Set{Classes: 2}
	for i := range n {
		s.Labels = append(s.Labels, (i+i%9/8)%2) // each ninth is wrong
		shared := 3 * r.NormFloat64()
		for j := range d {
			signal := 0.7 * float64(i%2*2-1) * float64(j%2*2-1)
			s.Features = append(s.Features, float32(shared+signal+r.NormFloat64()))
		}
	}
	o := svm.Options{Costs: []float64{100, 0.01, 1e-7}, Folds: 4, Seed: 3}
	m, err := svm.Train(t.Context(), s, o)
	require.NoError(t, err)
	for _, v := range m.Validation {
		require.InDelta(t, math.Round(v*n), v*n, 1e-9, "a share of the samples")
	}
	require.Greater(t, m.Validation[1], m.Validation[0])
	require.Greater(t, m.Validation[1], m.Validation[2])
	require.Equal(t, 0.01, m.C)
	require.Equal(t, train(t, s, 0.01).Weights, m.Weights)

	easy, err := svm.Train(t.Context(), clouds(30, 4, 3, 0.01), svm.Options{Costs: []float64{1, 0.5, 0.75}})
	require.NoError(t, err)
	require.Equal(t, []float64{1, 1, 1}, easy.Validation)
	require.Equal(t, 0.5, easy.C)

	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	again, err := svm.Train(t.Context(), s, o)
	require.NoError(t, err)
	require.Equal(t, m, again)
	differ := false
	for range 3 {
		o.Seed++
		other, err := svm.Train(t.Context(), s, o)
		require.NoError(t, err)
		differ = differ || other.Validation[1] != m.Validation[1]
	}
	require.True(t, differ, "the seed decides the folds")
}

func TestRefused(t *testing.T) {
	nan := float32(math.NaN())
	two := svm.Set{Features: []float32{1, 2, 3, 4}, Labels: []int{0, 1}, Classes: 2}
	for want, c := range map[string]struct {
		s svm.Set
		o svm.Options
	}{
		"there are no samples": {},
		"3 features are not the same number for each of 2 samples":                    {s: svm.Set{Features: []float32{1, 2, 3}, Labels: []int{0, 1}, Classes: 2}},
		"0 features are not the same number for each of 2 samples":                    {s: svm.Set{Labels: []int{0, 1}, Classes: 2}},
		"sample 1 has the label 2, but classes are from 0 to 1":                       {s: svm.Set{Features: []float32{1, 2}, Labels: []int{0, 2}, Classes: 2}},
		"sample 0 has the label -1":                                                   {s: svm.Set{Features: []float32{1, 2}, Labels: []int{-1, 2}, Classes: 2}},
		"all 2 samples are of class 1":                                                {s: svm.Set{Features: []float32{1, 2}, Labels: []int{1, 1}, Classes: 2}},
		"feature 1 of sample 1 is NaN: features must be finite; leave the sample out": {s: svm.Set{Features: []float32{1, 2, 3, nan}, Labels: []int{0, 1}, Classes: 2}},
		"feature 0 of sample 1 is +Inf":                                               {s: svm.Set{Features: []float32{1, 2, float32(math.Inf(1)), 4}, Labels: []int{0, 1}, Classes: 2}},
		"a cost of 0: C must be finite":                                               {s: two, o: svm.Options{Costs: []float64{1, 0}}},
		"a cost of NaN":                                                               {s: two, o: svm.Options{Costs: []float64{math.NaN()}}},
		"a cost of +Inf":                                                              {s: two, o: svm.Options{Costs: []float64{math.Inf(1)}}},
		"3 folds of 2 samples":                                                        {s: two, o: svm.Options{Folds: 3}},
		"1 folds of 2 samples":                                                        {s: two, o: svm.Options{Folds: 1}},
		"C 1e+300 does not converge: try a s":                                         {s: clouds(20, 3, 2, 3), o: svm.Options{Costs: []float64{1e300}}},
	} {
		_, err := svm.Train(t.Context(), c.s, c.o)
		require.ErrorContains(t, err, want)
	}
	m := train(t, two, 1)
	require.Panics(t, func() { m.Scores([]float32{1}) })
	require.Panics(t, func() { m.Predict([]float32{1, 2, 3}) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := svm.Train(ctx, clouds(20, 3, 2, 3), svm.Options{})
	require.ErrorIs(t, err, context.Canceled)
}
