package grpcx

import "google.golang.org/grpc"

// UnaryOf is all steps of a server in one interceptor.
func UnaryOf(s *Server) grpc.UnaryServerInterceptor { return s.interceptor(everything).Unary }
