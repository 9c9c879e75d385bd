package degrade_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/seawall-go/seawall"
	"github.com/seawall-go/seawall/degrade"
)

func ExampleNewFallback() {
	copies := map[string]string{"price": "9.80 (yesterday)"}
	prices := degrade.NewFallback("prices.copy", degrade.FallbackConfig{
		Func: degrade.Func(func(_ context.Context, err error) (string, error) {
			fmt.Println("using a copy:", err)
			return copies["price"], nil
		}),
	})
	price, err := seawall.Call(context.Background(), prices, func(context.Context) (string, error) {
		return "", errors.New("price service: connection refused")
	})
	fmt.Println(price, err)
	// Output:
	// using a copy: price service: connection refused
	// 9.80 (yesterday) <nil>
}

func ExampleValue() {
	recommendations := degrade.NewFallback("recommendations.none", degrade.FallbackConfig{
		Func: degrade.Value([]string{}),
	})
	titles, err := seawall.Call(context.Background(), recommendations, func(context.Context) ([]string, error) {
		return nil, errors.New("recommender: timeout")
	})
	fmt.Println(len(titles), err)
	// Output: 0 <nil>
}

func ExampleFallback_Do() {
	audit := degrade.NewFallback("audit.best_effort", degrade.FallbackConfig{Func: degrade.Value(struct{}{})})
	err := audit.Do(context.Background(), func(context.Context) error { return errors.New("audit log: full") })
	fmt.Println(err)
	// Output: <nil>
}
