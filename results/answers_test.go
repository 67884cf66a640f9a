package results

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnswersKeepTheWorst(t *testing.T) {
	var tally AnswerTally
	r := rand.New(rand.NewPCG(1, 2))
	order := r.Perm(200)
	for _, i := range order { // sample i is the (i+1)th worst, in any order
		tally.Add(i, 0, 1, 0.9, float64(i)/1000)
		tally.Add(1000+i, 1, 1, 0.5+float64(i)/1000, 0.5+float64(i)/1000)
	}
	tally.Add(5, 0, -1, 1, 1) // no answer
	a := tally.Answers([]string{"a", "b"}, func(i int) string { return fmt.Sprint("no ", i) })
	require.Equal(t, 400, a.Samples)
	require.Len(t, a.Worst, worstSamples)
	for i, w := range a.Worst {
		require.Equal(t, Answer{Sample: i, Name: fmt.Sprint("no ", i), Class: 0, Answer: 1, Probability: 0.9, OfClass: float64(i) / 1000}, w)
	}
	require.Len(t, a.Cells, 2)
	require.Equal(t, []int{0, 1, 200}, []int{a.Cells[0].Class, a.Cells[0].Answer, a.Cells[0].Count})
	require.Equal(t, []int{1, 1, 200}, []int{a.Cells[1].Class, a.Cells[1].Answer, a.Cells[1].Count})
	for i, s := range a.Cells[1].Samples {
		require.Equal(t, 1000+i, s.Sample)
	}
	require.Len(t, a.Cells[1].Samples, cellSamples)
}

// However many classes there are, the samples stay few.
func TestAnswersOfManyClasses(t *testing.T) {
	var tally AnswerTally
	const n = 150
	for i := range 2 * n * n {
		tally.Add(i, i%n, i/n%n, 0.5, 0.1)
	}
	a := tally.Answers(make([]string, n), nil)
	require.Len(t, a.Cells, n*n)
	for _, c := range a.Cells {
		require.Len(t, c.Samples, 1)
		require.Equal(t, 2, c.Count)
	}
}

// An empty test and NaN are JSON too.
func TestOddAnswers(t *testing.T) {
	text, err := json.Marshal(new(AnswerTally).Answers(nil, nil))
	require.NoError(t, err)
	require.JSONEq(t, `{"iteration":0,"samples":0,"classes":null,"cells":[],"worst":null}`, string(text))
	var tally AnswerTally
	tally.Add(0, 1, 0, math.NaN(), math.Inf(1))
	text, err = json.Marshal(tally.Answers([]string{"a", "b"}, nil))
	require.NoError(t, err)
	require.Contains(t, string(text), `"probability":0,"of_class":0`)
}
