package ensemble

import "gonum.org/v1/gonum/mathext"

// studentTail is the probability that Student's t with df degrees of freedom exceeds t.
func studentTail(t, df float64) float64 {
	tail := mathext.RegIncBeta(df/2, 0.5, df/(df+t*t)) / 2
	if t < 0 {
		return 1 - tail
	}
	return tail
}

// chiSquareTail is the probability that chi-square with df degrees of freedom exceeds x.
func chiSquareTail(x, df float64) float64 {
	return mathext.GammaIncRegComp(df/2, x/2)
}
