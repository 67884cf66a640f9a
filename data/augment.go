package data

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Augment says how a picture of any size becomes a sample: a list of steps,
// some of which are left to chance. The zero Augment takes pictures as they
// are, which must then all have one size.
//
// Steps of geometry come first, then those of colour, then the rest; within each
// kind they are taken in the order of the list. All geometry together is one map
// from the sample to the picture, so pixels are computed once, however many steps
// there are, and so are colours.
//
// In a test nothing is left to chance: sizes and crops stay, crops are those
// of the centre, and the other steps are left out.
type Augment []Step

// Step is one step of an Augment. Which fields it uses depends on its Op.
type Step struct {
	Op     Op
	H, W   int     // pixels; W is 0 where only one number was given
	Lo, Hi float64 // the range that its amount is drawn from, evenly
	P      float64 // how likely it is taken, 0 to 1
}

// Op is what a step does.
type Op string

// The steps. Angles are in degrees, clockwise.
const (
	// Resize makes the shorter side H, or with W the whole picture H by W.
	Resize Op = "resize"
	// Crop cuts out H by W pixels at a random place.
	Crop Op = "crop"
	// RandomCrop cuts out a part that has Lo to Hi of the picture's area and a
	// ratio of its sides of 3/4 to 4/3, and makes it H by W pixels (Szegedy et
	// al. 2015). In a test it is the largest part of that ratio, less 1/8.
	RandomCrop Op = "rrcrop"
	// Pad adds H pixels on each side, copies of the nearest ones.
	Pad Op = "pad"
	// Flip mirrors left and right.
	Flip Op = "flip"
	// Rotate turns about the centre by Lo to Hi degrees.
	Rotate Op = "rotate"
	// Translate moves by Lo to Hi of the width, and of the height.
	Translate Op = "translate"
	// TranslateX moves right by Lo to Hi of the width.
	TranslateX Op = "translate-x"
	// TranslateY moves down by Lo to Hi of the height.
	TranslateY Op = "translate-y"
	// ShearX moves rows right by Lo to Hi of their distance below the centre.
	ShearX Op = "shear-x"
	// ShearY moves columns down by Lo to Hi of their distance right of the centre.
	ShearY Op = "shear-y"
	// Zoom enlarges Lo to Hi times about the centre.
	Zoom Op = "zoom"

	// Grey leaves one channel, the luma of ITU-R BT.601.
	Grey Op = "grey"
	// Brightness multiplies pixels by Lo to Hi.
	Brightness Op = "brightness"
	// Contrast multiplies the distance from the picture's mean luma.
	Contrast Op = "contrast"
	// Saturation multiplies the distance from the pixel's luma.
	Saturation Op = "saturation"
	// Hue turns the colours by Lo to Hi degrees, from red to green. The luma stays:
	// it is a turn of U and V, the differences from luma of ITU-R BT.601.
	Hue Op = "hue"
	// PCA adds multiples of the principal components of the training set's
	// colours, drawn with the deviation Lo to Hi times their variance, which
	// is that of pixels from 0 to 1 (Krizhevsky et al. 2012, section 4.1).
	PCA Op = "pca"

	// Autocontrast stretches each channel to 0 to 255.
	Autocontrast Op = "autocontrast"
	// Equalize makes all values of a channel equally frequent.
	Equalize Op = "equalize"
	// Solarize makes 255 - v of values v from a threshold on, which is Lo to Hi.
	Solarize Op = "solarize"
	// Posterize keeps the upper Lo to Hi bits of values from 0 to 255.
	Posterize Op = "posterize"
	// Sharpness multiplies the distance from the blurred image: 0 blurs.
	Sharpness Op = "sharpness"
	// RandAugment takes H steps at random, each of the magnitude Lo to Hi of 10
	// (Cubuk et al. 2020).
	RandAugment Op = "randaugment"

	// Noise adds to each value a normal number of deviation Lo to Hi.
	Noise Op = "noise"
	// Cutout sets H by W pixels to the training set's mean; its centre may be
	// anywhere, so a part may be outside (DeVries and Taylor 2017).
	Cutout Op = "cutout"
	// Erase sets a rectangle to random values from 0 to 255. It has Lo to Hi of
	// the area, and a ratio of its sides of 0.3 to 1/0.3 (Zhong et al. 2020).
	Erase Op = "erase"

	// Mixup mixes the image with another of the training set, lambda : 1-lambda, and
	// the classes alike. Lambda has the Beta distribution of two parameters Lo to
	// Hi (Zhang et al. 2018). A Loader does it.
	Mixup Op = "mixup"
	// Cutmix fills a rectangle of 1-lambda of the area with that of the other image,
	// and mixes the classes by area (Yun et al. 2019).
	Cutmix Op = "cutmix"
)

// form is what a step looks like in text.
type form struct {
	op        Op
	sizes     int     // numbers of pixels: 0 none, 1 one, 2 one or two
	amount    bool    // whether there is an amount
	middle    float64 // what one amount a means: middle-a to middle+a; NaN for just a
	min, max  float64 // of an amount
	lo, hi, p float64 // by default; an amount with a hi need not be given
	chance    bool    // whether it may be left out
	example   string
}

var nan = math.NaN()

// mostAmount is the largest amount of steps that need no bound of their own.
const mostAmount = 1000

var forms = []form{
	{op: Resize, sizes: 2, p: 1, example: "resize=256"},
	{op: Crop, sizes: 2, p: 1, example: "crop=227"},
	{op: RandomCrop, sizes: 2, amount: true, middle: nan, max: 1, lo: 0.08, hi: 1, p: 1, example: "rrcrop=224:0.08..1"},
	{op: Pad, sizes: 1, p: 1, example: "pad=4"},
	{op: Flip, p: 0.5, chance: true, example: "flip"},
	{op: Rotate, amount: true, min: -360, max: 360, p: 1, chance: true, example: "rotate=15"},
	{op: Translate, amount: true, min: -1, max: mostAmount, p: 1, chance: true, example: "translate=0.1"},
	{op: TranslateX, amount: true, min: -1, max: 1, p: 1, chance: true, example: "translate-x=0.1"},
	{op: TranslateY, amount: true, min: -1, max: 1, p: 1, chance: true, example: "translate-y=0.1"},
	{op: ShearX, amount: true, min: -1, max: 1, p: 1, chance: true, example: "shear-x=0.3"},
	{op: ShearY, amount: true, min: -1, max: 1, p: 1, chance: true, example: "shear-y=0.3"},
	{op: Zoom, amount: true, middle: 1, min: 0.01, max: mostAmount, p: 1, chance: true, example: "zoom=0.2"},
	{op: Grey, p: 1, example: "grey"},
	{op: Brightness, amount: true, middle: 1, max: mostAmount, p: 1, chance: true, example: "brightness=0.4"},
	{op: Contrast, amount: true, middle: 1, max: mostAmount, p: 1, chance: true, example: "contrast=0.4"},
	{op: Saturation, amount: true, middle: 1, max: mostAmount, p: 1, chance: true, example: "saturation=0.4"},
	{op: Hue, amount: true, min: -360, max: 360, p: 1, chance: true, example: "hue=20"},
	{op: PCA, amount: true, middle: nan, max: mostAmount, p: 1, chance: true, example: "pca=0.1"},
	{op: Autocontrast, p: 1, chance: true, example: "autocontrast@0.2"},
	{op: Equalize, p: 1, chance: true, example: "equalize@0.2"},
	{op: Solarize, amount: true, middle: nan, max: 256, p: 1, chance: true, example: "solarize=128@0.2"},
	{op: Posterize, amount: true, middle: nan, min: 1, max: 8, p: 1, chance: true, example: "posterize=4@0.2"},
	{op: Sharpness, amount: true, middle: 1, max: mostAmount, p: 1, chance: true, example: "sharpness=0.5"},
	{op: RandAugment, sizes: 1, amount: true, middle: nan, max: 10, lo: 9, hi: 9, p: 1, chance: true, example: "randaugment=2:9"},
	{op: Noise, amount: true, middle: nan, max: mostAmount, p: 1, chance: true, example: "noise=5"},
	{op: Cutout, sizes: 2, p: 1, chance: true, example: "cutout=32@0.5"},
	{op: Erase, amount: true, middle: nan, max: 1, lo: 0.02, hi: 0.4, p: 0.5, chance: true, example: "erase"},
	{op: Mixup, amount: true, middle: nan, min: 0.05, max: 1, p: 1, chance: true, example: "mixup=0.2"},
	{op: Cutmix, amount: true, middle: nan, min: 0.05, max: 1, p: 1, chance: true, example: "cutmix=1@0.5"},
}

func formOf(op Op) *form {
	i := slices.IndexFunc(forms, func(f form) bool { return f.op == op })
	if i < 0 {
		return nil
	}
	return &forms[i]
}

// AugmentGrammar is a line for each step as ParseAugment reads it.
func AugmentGrammar() []string {
	lines := make([]string, len(forms))
	for i, f := range forms {
		lines[i] = f.example
	}
	return lines
}

// largestSide bounds the pixels of a step, and of a sample.
const largestSide = 1 << 14

// ParseAugment reads steps with commas between them:
//
//	resize=256,crop=227,flip,rotate=15@0.3,zoom=0.9..1.2,pca=0.1
//
// A size is one number or HEIGHTxWIDTH. An amount a is the range -a..a of
// angles, shifts and shears, 1-a..1+a of factors, and just a of the others; a
// range may be written out as LO..HI. @P is how likely the step is taken. The
// range of rrcrop follows its size after a colon, and so does the magnitude of
// randaugment the number of its steps.
func ParseAugment(text string) (Augment, error) {
	var a Augment
	if text == "" {
		return a, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		s, err := parseStep(strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		a = append(a, s)
	}
	return a, a.Check()
}

func parseStep(word string) (s Step, err error) {
	rest, chance, hasChance := strings.Cut(word, "@")
	name, value, hasValue := strings.Cut(rest, "=")
	f := formOf(Op(name))
	if f == nil {
		var known []string
		for _, f := range forms {
			known = append(known, string(f.op))
		}
		return s, fmt.Errorf("augmentation %q is unknown; there are %s", name, strings.Join(known, ", "))
	}
	s = Step{Op: f.op, Lo: f.lo, Hi: f.hi, P: f.p}
	wrong := func(what string) (Step, error) {
		return s, fmt.Errorf("augmentation %q: %s, such as %s", word, what, f.example)
	}
	size, amount := "", ""
	switch {
	case f.sizes > 0 && f.amount:
		var given bool
		if size, amount, given = strings.Cut(value, ":"); given && amount == "" {
			return wrong("the range after the colon is missing")
		}
	case f.sizes > 0:
		size = value
	case f.amount:
		amount = value
	}
	switch {
	case hasValue && f.sizes == 0 && !f.amount:
		return wrong("it takes no value")
	case f.op == RandAugment && !parseSize(&s, size, f.sizes):
		return wrong("it takes a number of steps")
	case f.sizes > 0 && !parseSize(&s, size, f.sizes):
		if f.sizes == 1 {
			return wrong("it takes a number of pixels")
		}
		return wrong("it takes a number of pixels, or HEIGHTxWIDTH")
	case f.amount && (amount != "" || f.hi == 0 || f.sizes == 0 && hasValue) && !parseRange(&s, amount, f.middle):
		return wrong("it takes a number or a range LO..HI")
	}
	if hasChance {
		if s.P, err = strconv.ParseFloat(chance, 64); err != nil {
			return wrong("a probability after @ is a number from 0 to 1")
		}
	}
	return s, nil
}

func parseSize(s *Step, text string, limit int) bool {
	h, w, two := strings.Cut(text, "x")
	var err1, err2 error
	s.H, err1 = strconv.Atoi(h)
	if two {
		s.W, err2 = strconv.Atoi(w)
		if s.W < 1 || limit < 2 {
			return false
		}
	}
	return err1 == nil && err2 == nil && s.H >= 1
}

func parseRange(s *Step, text string, middle float64) bool {
	lo, hi, two := strings.Cut(text, "..")
	var err1, err2 error
	s.Lo, err1 = strconv.ParseFloat(lo, 64)
	s.Hi = s.Lo
	switch {
	case two:
		s.Hi, err2 = strconv.ParseFloat(hi, 64)
	case !math.IsNaN(middle):
		s.Lo, s.Hi = middle-s.Hi, middle+s.Hi
	}
	return err1 == nil && err2 == nil
}

// Check says what is wrong with the steps, if anything.
func (a Augment) Check() error {
	short := 0 // side that is known to be there, 0 for none
	for _, s := range a {
		f := formOf(s.Op)
		if f == nil {
			return fmt.Errorf("augmentation %q is unknown", string(s.Op))
		}
		fail := func(format string, args ...any) error {
			return fmt.Errorf("augmentation %q: %s", s, fmt.Sprintf(format, args...))
		}
		switch {
		case s.Op == RandAugment && (s.H < 1 || s.H > mostDrawn || s.W != 0):
			return fail("it takes 1 to %d steps", mostDrawn)
		case f.sizes > 0 && (s.H < 1 || s.H > largestSide || s.W < 0 || s.W > largestSide):
			return fail("a side has at least 1 and at most %d pixels", largestSide)
		case !(s.P >= 0 && s.P <= 1):
			return fail("a probability is a number from 0 to 1")
		case !f.chance && s.P != 1:
			return fail("it decides the size or the channels of the samples, so it cannot be left to chance")
		case (s.Op == RandomCrop || s.Op == Erase) && !(s.Lo > 0 && s.Hi <= 1):
			return fail("a share of the area is above 0 and at most 1")
		case f.amount && !(s.Lo >= f.min && s.Lo <= s.Hi && s.Hi <= f.max):
			return fail("the range %g..%g is empty or outside %g..%g", s.Lo, s.Hi, f.min, f.max)
		}
		switch s.Op {
		case Resize, RandomCrop:
			short = s.H
			if s.W > 0 {
				short = min(s.H, s.W)
			}
		case Pad:
			if short > 0 {
				short += 2 * s.H
			}
		case Crop:
			h, w := s.size()
			if short > 0 && max(h, w) > short && min(h, w) > short {
				return fail("a crop of %dx%d does not fit in a shorter side of %d", h, w, short)
			}
			short = min(h, w)
		}
	}
	return nil
}

// size is that of a crop: square where one number is given.
func (s Step) size() (h, w int) {
	if s.W == 0 {
		return s.H, s.H
	}
	return s.H, s.W
}

// Size is the height and width of samples; ok says whether the steps fix them.
func (a Augment) Size() (h, w int, ok bool) {
	for _, s := range a {
		switch s.Op {
		case Crop, RandomCrop:
			h, w = s.size()
			ok = true
		case Resize:
			h, w, ok = s.H, s.W, s.W > 0
		case Pad:
			h, w = h+2*s.H, w+2*s.H
		}
	}
	return h, w, ok
}

// ErrNoSize is that of steps that do not make all samples one size.
var ErrNoSize = errors.New("photographs differ in size: the augmentation needs a crop, an rrcrop or a resize=HEIGHTxWIDTH, such as resize=256,crop=227")

// Channels is 1 after Grey, and otherwise what the picture has.
func (a Augment) Channels(picture int) int {
	if a.has(Grey) {
		return 1
	}
	return picture
}

func (a Augment) has(op Op) bool {
	return slices.ContainsFunc(a, func(s Step) bool { return s.Op == op })
}

// Test is what is left of the steps where nothing is left to chance.
func (a Augment) Test() Augment {
	var t Augment
	for _, s := range a {
		if !formOf(s.Op).chance {
			t = append(t, s)
		}
	}
	return t
}

// String is a step as ParseAugment reads it.
func (s Step) String() string {
	f := formOf(s.Op)
	if f == nil {
		return string(s.Op)
	}
	text := string(s.Op)
	if f.sizes > 0 {
		text += "=" + strconv.Itoa(s.H)
		if s.W > 0 {
			text += "x" + strconv.Itoa(s.W)
		}
	}
	if f.amount && !(f.hi > 0 && s.Lo == f.lo && s.Hi == f.hi) {
		mark := "="
		if f.sizes > 0 {
			mark = ":"
		}
		text += mark + number(s.Lo)
		if !(math.IsNaN(f.middle) && s.Lo == s.Hi) {
			text += ".." + number(s.Hi)
		}
	}
	if s.P != f.p {
		text += "@" + number(s.P)
	}
	return text
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// String is the steps as ParseAugment reads them.
func (a Augment) String() string {
	words := make([]string, len(a))
	for i, s := range a {
		words[i] = s.String()
	}
	return strings.Join(words, ",")
}

// MarshalText implements encoding.TextMarshaler.
func (a Augment) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Augment) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAugment(string(text))
	return err
}
