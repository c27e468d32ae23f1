module github.com/zkine/zkine/conformance/components/mixin

go 1.26.5

require go.etcd.io/etcd/v3 v3.6.8
