// Package cachetest holds what a [cache.Layer] and a [cache.Backplane] must do, as tests for those who write one, and a
// Layer in memory for tests of programs.
//
//	func TestLayer(t *testing.T) {
//		cachetest.Layer(t, func(t *testing.T) cache.Layer { return redisx.NewLayer(client(t)) })
//	}
package cachetest
