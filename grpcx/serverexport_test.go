package grpcx

import "google.golang.org/grpc"

// UnaryOf is all steps of a server in one interceptor.
func UnaryOf(s *Server) grpc.UnaryServerInterceptor { return s.interceptor(everything).Unary }

// StreamOf is UnaryOf for streams.
func StreamOf(s *Server) grpc.StreamServerInterceptor { return s.interceptor(everything).Stream }
