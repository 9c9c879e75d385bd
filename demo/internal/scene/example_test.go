package scene_test

import (
	"fmt"

	"github.com/seawall-go/seawall/demo/internal/scene"
)

func ExampleFind() {
	found, err := scene.Find("retrystorm")
	if err != nil {
		fmt.Println(err)
		return
	}
	s := found[0]
	from, to, _ := s.Trouble()
	fmt.Printf("%s: %s\n", s.Name, s.Hypothesis)
	fmt.Printf("%v, trouble from %v to %v\n", s.Length, from, to)
	// Output:
	// retrystorm: a trigger that is gone leaves no damage
	// 45s, trouble from 8s to 16s
}
