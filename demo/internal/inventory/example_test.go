package inventory_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/seawall-go/seawall/demo/internal/gate"
	"github.com/seawall-go/seawall/demo/internal/inventory"
	"github.com/seawall-go/seawall/demo/internal/sqlite"
)

func ExampleOpen() {
	ctx := context.Background()
	store, err := inventory.Open(ctx, sqlite.Memory, inventory.Config{HoldFor: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	fmt.Println(store.PutOnSale(ctx, 1, []int64{1, 2, 3}), store.Config().SweepEvery)
	// Output: <nil> 250ms
}

func ExampleStore_Hold() {
	ctx := context.Background()
	store, err := inventory.Open(ctx, sqlite.Memory, inventory.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	if err := store.PutOnSale(ctx, 1, []int64{1, 2, 3}); err != nil {
		fmt.Println(err)
		return
	}
	for _, order := range []string{"anna", "anna", "bert"} {
		held, err := store.Hold(ctx, inventory.Request{Order: order, Performance: 1, Seats: []int64{2, 3}})
		if taken, ok := errors.AsType[*inventory.TakenError](err); ok {
			fmt.Println(order, "must choose others than", taken.Seats)
			continue
		}
		fmt.Println(held.Order, held.State, held.Seats, held.Repeated, err)
	}
	// Output:
	// anna held [2 3] false <nil>
	// anna held [2 3] true <nil>
	// bert must choose others than [2 3]
}

func ExampleStore_Release() {
	ctx := context.Background()
	store, err := inventory.Open(ctx, sqlite.Memory, inventory.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	if err := store.PutOnSale(ctx, 1, []int64{1}); err != nil {
		fmt.Println(err)
		return
	}
	wanted := inventory.Request{Order: "anna", Performance: 1, Seats: []int64{1}}
	if _, err := store.Hold(ctx, wanted); err != nil {
		fmt.Println(err)
		return
	}
	left, err := store.Release(ctx, "anna")
	fmt.Println(left.State, err)
	_, err = store.Hold(ctx, wanted)
	fmt.Println(errors.Is(err, inventory.ErrEnded))
	// Output:
	// released <nil>
	// true
}

func ExampleStore_Audit() {
	ctx := context.Background()
	store, err := inventory.Open(ctx, sqlite.Memory, inventory.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	if err := store.PutOnSale(ctx, 1, []int64{1, 2}); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := store.Hold(ctx, inventory.Request{Order: "anna", Performance: 1, Seats: []int64{2}}); err != nil {
		fmt.Println(err)
		return
	}
	audit, err := store.Audit(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range audit.Events {
		fmt.Println(e.Order, e.Kind, e.Seat, audit.Capacity[e.Performance], len(audit.Claims))
	}
	// Output: anna held 2 2 1
}

func ExampleNewHandler() {
	ctx := context.Background()
	store, err := inventory.Open(ctx, sqlite.Memory, inventory.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	if err := store.PutOnSale(ctx, 1, []int64{1, 2}); err != nil {
		fmt.Println(err)
		return
	}
	handler := inventory.NewHandler(store, gate.New("inventory", gate.Config{Mean: time.Millisecond}))
	for _, order := range []string{"anna", "bert"} {
		r := httptest.NewRequest(http.MethodPut, "/holds/"+order, strings.NewReader(`{"performance":1,"seats":[2]}`))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(order, w.Code)
	}
	// Output:
	// anna 201
	// bert 409
}
