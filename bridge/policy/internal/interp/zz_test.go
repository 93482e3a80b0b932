package interp
import ("testing";"math";"math/big";"math/rand";"os/exec";"fmt";"strings";"bufio")
func dist(v *big.Float) (f, units float64) {
	f,_ = v.Float64()
	ulp := math.Nextafter(math.Abs(f), math.Inf(1)) - math.Abs(f)
	d := new(big.Float).SetPrec(precision).Sub(v, new(big.Float).SetFloat64(f))
	u,_ := d.Quo(d, new(big.Float).SetFloat64(ulp)).Float64()
	return f, math.Abs(u)
}
func TestZZ(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	var xs []string
	type c struct{op string; x,y float64}
	var cs []c
	for i:=0;i<60000;i++ {
		x := (r.Float64()*2-1)*math.Pow(10, r.Float64()*4-2); if math.Abs(x)>600 {x=math.Mod(x,600)}
		cs = append(cs, c{"exp",x,0})
		l := math.Exp(r.Float64()*8-4); if i%3==0 { l = 1+ (r.Float64()-0.5)*0.6 }
		cs = append(cs, c{"log",l,0})
		b := math.Exp(r.Float64()*10-5); e := (r.Float64()-.5)*20; if i%4==0 {e=2}; if i%4==1 {e=float64(r.Intn(12)-6)}
		cs = append(cs, c{"pow",b,e})
	}
	for _, c := range cs { xs = append(xs, fmt.Sprintf("%s %x %x", c.op, c.x, c.y)) }
	cmd := exec.Command("/work/main/.venv/bin/python","-c",`
import sys,math
for l in sys.stdin:
    o,x,y=l.split(); x=float.fromhex(x); y=float.fromhex(y)
    print((math.exp(x) if o=='exp' else math.log(x) if o=='log' else x**y).hex())
`)
	cmd.Stdin = strings.NewReader(strings.Join(xs,"\n"))
	out, err := cmd.Output(); if err!=nil {t.Fatal(err)}
	sc := bufio.NewScanner(strings.NewReader(string(out)))
	worst := map[string]float64{}; mism := map[string]int{}
	for _, c := range cs {
		sc.Scan(); var want float64; fmt.Sscanf(sc.Text(), "%v", &want)
		var v *big.Float
		switch c.op { case "exp": v = bigExp(newWide().SetFloat64(c.x)); case "log": v = bigLog(newWide().SetFloat64(c.x))
		default: e := bigLog(newWide().SetFloat64(c.x)); e.Mul(e, newWide().SetFloat64(c.y)); v = bigExp(e) }
		f,u := dist(v)
		if f != want { k := c.op; if c.op=="log" { _,e := math.Frexp(f); if e > 1 {e=1}; k = fmt.Sprint("log", e) }
			if c.op=="pow" { k=fmt.Sprint("pow y=2 ", c.y==2) }
			mism[k]++; if .5-u > worst[k] {worst[k]=.5-u} }
	}
	t.Log(mism, worst)
}
