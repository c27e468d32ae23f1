module github.com/zkine/zkine/conformance

go 1.26.0
