package zkclient_test

import (
	"testing"

	"github.com/zkine/zkine/revision/zktest"
)

func TestMain(m *testing.M) { zktest.Main(m) }
