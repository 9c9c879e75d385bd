package papers_test

import ("fmt";"testing";"time")

func TestZZ(t *testing.T) {
	for i, l := range workLaws {
		fmt.Println(l.name)
		for seed := range uint64(20) {
			c := contenders[0].sent(t, 1+seed, halved(l.work))
			down := c.settled(workersLost, 13.5, 16.5)
			up := c.settled(workersBack, bandLow, bandHigh)
			first := c.until(workersBack, bandLow, 1e9)
			fmt.Printf("seed %2d down %5.1f mean10-60 %.1f goodput15 %.1f up %5.1f first27 %5.1f", 1+seed, down.Seconds(), average(c.between(workersLost+10*time.Second, workersBack)), c.goodput(workersLost+10*time.Second, workersBack), up.Seconds(), first.Seconds())
			if up > 20*time.Second || i < 1 && seed < 1 || down > 10*time.Second {
				s := ""
				for at := workersLost-4*time.Second; at < 3*time.Minute; at += 2*time.Second { s += fmt.Sprintf(" %.0f", average(c.between(at, at+2*time.Second))) }
				fmt.Print(" from 56 s, per 2 s:", s)
			}
			fmt.Println()
		}
	}
	for _, h := range []time.Duration{0, 30*time.Second} {
		c := contenders[0].sent(t, 1, timedOut(h, h+time.Minute))
		for i, l := range c.limits { if i == 0 || l != c.limits[i-1] { fmt.Print(time.Duration(i)*courseStep, ":", l, " ") } }
		fmt.Println()
	}
	for _, i := range []int{0,1,3,5} {
	c := contenders[i].sent(t, 1, pushedBack(2*time.Minute))
	lo, hi := c.bounds(0, c.length)
	fmt.Println("c:", contenders[i].name, lo, hi, average(c.limits), c.goodput(0, c.length), c.limits[:400:400][0:40])
	}
	c := contenders[0].sent(t, 1, overloaded(workLaws[0].work, time.Minute))
	for i, l := range c.limits { if i == 0 || l != c.limits[i-1] { fmt.Print(time.Duration(i)*courseStep, ":", l, " ") } }
	fmt.Println()
}
