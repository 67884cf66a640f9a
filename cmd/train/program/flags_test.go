package program

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/solver"
)

// TestGroupsListEveryFlagOnce keeps the usage whole.
func TestGroupsListEveryFlagOnce(t *testing.T) {
	listed := map[string]int{}
	for _, g := range groups {
		for _, e := range g.entries {
			listed[e.name]++
		}
	}
	new(options).flagSet().VisitAll(func(f *flag.Flag) {
		require.Equal(t, 1, listed[f.Name], "-%s", f.Name)
		delete(listed, f.Name)
	})
	require.Empty(t, listed, "flags that are not declared")
}

func TestUsage(t *testing.T) {
	code, stdout, stderr := call(t, "-h")
	require.Equal(t, command.Done, code)
	require.Empty(t, stderr)
	require.GreaterOrEqual(t, strings.Count(stdout, "\n  train -"), 5, "examples")
	new(options).flagSet().VisitAll(func(f *flag.Flag) { require.Contains(t, stdout, "\n  -"+f.Name+" ") })
	for _, text := range []string{"(default 64)", "usually 0.01,", "usually 0.0005 of sgd", "(default sgd)", "(default fixed)", "lenet5", "synthetic"} {
		require.Contains(t, stdout, text)
	}
	for line := range strings.SplitSeq(stdout, "\n") {
		require.LessOrEqual(t, len(line), 88, line)
	}
}

// TestExamplesParse runs every command of the help through the flags.
func TestExamplesParse(t *testing.T) {
	_, examples, _ := strings.Cut(usageFoot, "Examples\n")
	examples, _, _ = strings.Cut(examples, "\n\n")
	for line := range strings.SplitSeq(strings.TrimSpace(examples), "\n") {
		_, err := parse(strings.Fields(line)[1:])
		require.NoError(t, err, line)
	}
}

func TestParseRefuses(t *testing.T) {
	const start = "-model lenet -data mnist "
	for _, c := range []struct{ args, message string }{
		{"", "-model or -net is missing; the networks are alexnet, "},
		{"-model lenet", "-data is missing; the data sets are mnist, "},
		{"-wrong", "-wrong"},
		{start + "extra", `"extra" is not a flag`},
		{start + "-monitor 50 -iters 5", "-monitor takes its number after an equals sign: -monitor=50"},
		{start + "-monitor more", `"more" is not a flag`},
		{start + "-batch many", `"many" for flag -batch`},
		{start + "-batch", "needs an argument: -batch"},
		{start + "-batch 0", "-batch must be at least 1"},
		{start + "-accumulate 0", "-accumulate must be at least 1"},
		{start + "-batch 4294967296 -accumulate 4294967296", "-batch must be at least 1 and at most"},
		{start + "-epochs 0", "-epochs must be at least 1"},
		{start + "-iters 0", "-iters must be at least 1"},
		{start + "-threads -1", "-threads must be at least 0"},
		{start + "-winograd on", "-winograd must be auto or off"},
		{start + "-data-init 1", "-data-init must be at least 2 and at most"},
		{start + "-data-init -2", "-data-init must be at least 2 and at most"},
		{start + "-data-init 64 -weights w", "-data-init has nothing to initialise with -weights alone: -fresh names layers that begin anew"},
		{"-model lenet -summary -data-init 64", "-data-init has no meaning with -summary"},
		{"-resume runs/a -data-init 64", "-data-init cannot be changed"},
		{start + "-lr 0", "-lr must be above 0"},
		{start + "-lr NaN", "-lr must be above 0"},
		{start + "-lr Inf", "-lr must be above 0"},
		{start + "-momentum 1", "-momentum must be at least 0 and below 1"},
		{start + "-decay -1", "-decay must be at least 0"},
		{start + "-decay NaN", "-decay must be at least 0"},
		{start + "-optimiser adamax", `-optimiser "adamax" is unknown; there are sgd, sgd-pytorch, `},
		{start + "-optimiser adam -momentum 0.9", "-momentum has no meaning with -optimiser adam"},
		{start + "-optimiser adam -momentum-end 0.9", "-momentum-end has no meaning with -optimiser adam"},
		{start + "-optimiser lion -nesterov", "-nesterov has no meaning with -optimiser lion"},
		{start + "-optimiser lars -nesterov", "optimiser lars has no momentum of Nesterov's"},
		{start + "-beta1 0.5", "-beta1 has no meaning with -optimiser sgd"},
		{start + "-optimiser adam -beta1 1", "-beta1 must be at least 0 and below 1"},
		{start + "-optimiser adam -beta2 NaN", "-beta2 must be at least 0 and below 1"},
		{start + "-optimiser adam -epsilon 0", "-epsilon must be above 0"},
		{start + "-optimiser lars -trust -1", "-trust must be above 0"},
		{start + "-clip -1", "-clip must be at least 0"},
		{start + "-lr-mult conv1", "names and numbers from 0 on with commas between, such as conv1=0.1,conv2=0.5"},
		{start + "-lr-mult conv1=-1", "names and numbers from 0 on with commas between"},
		{start + "-lr-mult conv1=NaN", "names and numbers from 0 on with commas between"},
		{start + "-lr-mult conv1=1e39", "names and numbers from 0 on with commas between"},
		{start + "-lr-mult =1", "names and numbers from 0 on with commas between"},
		{start + "-lr-mult conv1=1,conv1=2", "conv1 stands there twice"},
		{start + "-ema 1", "-ema must be at least 0 and below 1"},
		{start + "-swa -1", "-swa must be at least 0"},
		{start + "-ema 0.9 -swa 1", "-ema and -swa contradict each other"},
		{start + "-seed -1", `"-1" for flag -seed`},
		{start + "-log-every 0", "-log-every must be at least 1"},
		{start + "-patience -1", "-patience must be at least 0"},
		{start + "-checkpoint soon", "a number of iterations, such as 500, or a time, such as 10m"},
		{start + "-checkpoint 0", "a number of iterations, such as 500, or a time, such as 10m"},
		{start + "-checkpoint -5m", "a number of iterations, such as 500, or a time, such as 10m"},
		{start + "-lr-policy plateau -gamma 0.1", "-lr-policy plateau needs -step"},
		{start + "-nesterov -momentum 0", "-nesterov needs a -momentum"},
		{start + "-frozen conv1,,conv2", "names with commas"},
		{start + "-lr-policy slow", `-lr-policy "slow" is unknown; there are fixed, step, `},
		{start + "-lr-policy step -gamma 0.1", "-lr-policy step needs -step"},
		{start + "-lr-policy multistep -gamma 0.1", "-lr-policy multistep needs -steps"},
		{start + "-lr-policy multistep -gamma 0.1 -steps 1;2", "whole numbers above 0 with commas"},
		{start + "-lr-policy inv -gamma 0.1", "-lr-policy inv needs -power"},
		{start + "-lr-policy linear", "-lr-policy linear needs -lr-end"},
		{start + "-lr-policy linear -lr-end -1", "-lr-end must be at least 0"},
		{start + "-lr-policy one-cycle", "-lr-policy one-cycle needs -gamma"},
		{start + "-lr-policy one-cycle -gamma 2", "policy one-cycle: gamma 2 must be above 0 and at most 1"},
		{start + "-lr-policy cosine-restarts -step 10 -gamma 1.5", "policy cosine-restarts: gamma 1.5 must be a whole number"},
		{start + "-warmup -1", "-warmup must be at least 0"},
		{start + "-momentum-end 1", "-momentum-end must be at least 0 and below 1"},
		{start + "-power 2", "-power has no meaning with -lr-policy fixed"},
		{start + "-lr-policy cosine -step 3", "-step has no meaning with -lr-policy cosine"},
		{start + "-net n.json", "-model and -net contradict"},
		{start + "-epochs 1 -iters 2", "-epochs and -iters contradict"},
		{"-model lenet -summary -memory 8", "8GiB"},
		{"-model lenet -summary -data mnist", "-data has no meaning with -summary"},
		{"-summary", "-model or -net is missing"},
		{"-resume runs/a -model lenet", "-model cannot be changed"},
		{"-lr-find out.png", "-model or -net is missing"},
		{"-lr-find out.png -model lenet", "-data is missing"},
		{start + "-lr-find=", "-lr-find needs a file for its picture, such as out.png"},
		{start + "-lr-find out.png -lr 1", "-lr has no meaning with -lr-find"},
		{start + "-lr-find out.png -epochs 1", "-epochs has no meaning with -lr-find"},
		{start + "-lr-find out.png -out a", "-out has no meaning with -lr-find"},
		{start + "-lr-find out.png -iters 1", "-iters must be at least 2 with -lr-find"},
		{start + "-lr-range 1,2", "-lr-range needs -lr-find"},
		{start + "-lr-find out.png -lr-range 2,1", "two numbers above 0 with a comma between, the second larger, such as 1e-6,1"},
		{start + "-lr-find out.png -lr-range 1", "two numbers above 0 with a comma between"},
		{start + "-lr-find out.png -lr-range 0,1", "two numbers above 0 with a comma between"},
		{start + "-lr-find out.png -lr-range 1,Inf", "two numbers above 0 with a comma between"},
		{"-resume runs/a -optimiser adam", "-optimiser cannot be changed"},
		{"-resume runs/a -lr 1", "-lr cannot be changed"},
		{"-resume runs/a -eval", "-resume and -eval contradict"},
		{"-resume=", "-resume needs the folder"},
		{"-eval -summary", "-eval and -summary contradict"},
		{"-devices -summary", "-summary and -devices contradict"},
		{"-devices -model lenet", "-model has no meaning with -devices"},
		{"-eval -data mnist", "-eval needs -weights"},
		{"-eval -weights w -data mnist -epochs 3", "-epochs has no meaning with -eval"},
		{"-eval -weights w -data mnist -model lenet", "-model has no meaning with -eval"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Chdir(t.TempDir())
			refused(t, c.message, strings.Fields(c.args)...)
		})
	}
}

func TestPolicies(t *testing.T) {
	require.Equal(t, solver.Policies(), policyNames())
	for _, args := range []string{
		"fixed", "step -gamma 0.1 -step 100", "multistep -gamma 0.1 -steps 100,200", "exp -gamma 0.99",
		"inv -gamma 1e-4 -power 0.75", "poly -power 1", "cosine", "natural-exp -gamma 1e-3 -warmup 5", "inverse-time -gamma 1e-3",
		"linear -lr 0.03 -lr-end 0.0001 -momentum-end 0.999", "cosine-restarts -step 100 -gamma 2", "one-cycle -gamma 0.1", "plateau -gamma 0.1 -step 3",
	} {
		o, err := parse(strings.Fields("-model lenet -data mnist -lr-policy " + args))
		require.NoError(t, err, args)
		require.NoError(t, o.schedule().Check(), args)
	}
}

// Each method has its usual numbers, and those that are given.
func TestOptimisers(t *testing.T) {
	require.Equal(t, solver.Methods(), optimiserNames())
	for _, name := range optimiserNames() {
		o, err := parse([]string{"-model", "lenet", "-data", "mnist", "-optimiser", name})
		require.NoError(t, err)
		require.Equal(t, solver.Defaults(name), o.optimiser())
		require.NoError(t, o.optimiser().Check())
	}
	o, err := parse(strings.Fields("-model lenet -data mnist -optimiser adamw -lr 0.5 -beta1 0 -beta2 0.75 -epsilon 0.25 -decay 0.125 -clip 2"))
	require.NoError(t, err)
	want := solver.Optimiser{Method: solver.AdamW, Schedule: solver.Schedule{Policy: solver.Fixed, Rate: 0.5}, Beta2: 0.75, Epsilon: 0.25, Decay: 0.125, ClipNorm: 2}
	require.Equal(t, want, o.optimiser())
	require.NoError(t, want.Check())
	o, err = parse(strings.Fields("-model lenet -data mnist -lr-mult conv1=0.5,a=b.bias=0"))
	require.NoError(t, err)
	require.Equal(t, map[string]float32{"conv1": 0.5, "a=b.bias": 0}, o.optimiser().LayerRates)
	require.Equal(t, "a=b.bias=0,conv1=0.5", o.layerRates.String())
}

// docs/training.md has a line of every method and every policy.
func TestDocumentHasMethodsAndPolicies(t *testing.T) {
	document, err := os.ReadFile("../../../docs/training.md")
	require.NoError(t, err)
	for _, name := range append(optimiserNames(), policyNames()...) {
		require.Contains(t, string(document), "\n| `"+name+"` | ")
	}
}
