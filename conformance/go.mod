module github.com/seawall-go/seawall/conformance

go 1.26.0

require github.com/seawall-go/seawall v0.0.0

replace github.com/seawall-go/seawall => ../
