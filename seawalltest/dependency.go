package seawalltest

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Dependency is a model of what is called: workers that serve requests from a queue.
type Dependency struct {
	// Workers is how many requests are served at once. Default 1. Workers divided by the mean time of service is the
	// capacity in requests per second.
	Workers int
	// Service is how long a request takes a worker. Default Fixed(100 ms).
	Service Distribution
	// Order is which request of the queue comes next. Default [FIFO].
	Order Order
	// Queue is how many requests wait at the most; one that finds it full fails at once with [ErrQueueFull]. Default
	// [NoLimit].
	Queue int
	// Abandoned is what becomes of requests whose caller has left. Default [KeepWorking], as most servers do.
	Abandoned Abandoned
	// Errors is the share of requests that fail with [ErrService] after their time of service. Default none.
	Errors float64
	// Phases are what is different for a time.
	Phases []Phase
}

// NoLimit as Dependency.Queue lets any number of requests wait.
const NoLimit = 0

// Order is an order of service.
type Order uint8

const (
	// FIFO serves the oldest request first.
	FIFO Order = iota
	// LIFO serves the newest first.
	LIFO
)

// Abandoned is what a dependency does with a request whose caller has left.
type Abandoned uint8

const (
	// KeepWorking serves it all the same: nothing tells the server.
	KeepWorking Abandoned = iota
	// DropAtDequeue passes it over when its turn comes; one that is being served is finished.
	DropAtDequeue
	// StopAtOnce takes it out of the queue, or off its worker.
	StopAtOnce
)

var (
	// ErrService is the error of a request that fails.
	ErrService = errors.New("seawalltest: service failed")
	// ErrQueueFull is the error of a request that found the dependency's queue full.
	ErrQueueFull = errors.New("seawalltest: queue of the dependency is full")
)

func (d Dependency) withDefaults() Dependency {
	if d.Workers == 0 {
		d.Workers = 1
	}
	if d.Service == nil {
		d.Service = Fixed(100 * time.Millisecond)
	}
	return d
}

func (d Dependency) validate() error {
	switch {
	case d.Workers < 0:
		return bad("Dependency.Workers", d.Workers, "at least 1")
	case d.Order > LIFO:
		return bad("Dependency.Order", d.Order, "FIFO or LIFO")
	case d.Queue < 0:
		return bad("Dependency.Queue", d.Queue, "at least 1, or NoLimit")
	case d.Abandoned > StopAtOnce:
		return bad("Dependency.Abandoned", d.Abandoned, "KeepWorking, DropAtDequeue or StopAtOnce")
	case math.IsNaN(d.Errors) || d.Errors < 0 || d.Errors > 1:
		return bad("Dependency.Errors", d.Errors, "0 to 1")
	}
	for i, p := range d.Phases {
		if err := p.validate(fmt.Sprintf("Dependency.Phases[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}
