package readlease

import "github.com/prometheus/client_golang/prometheus"

// Register registers the metrics of a zkine, whose Holder may be nil.
func Register(r prometheus.Registerer, g *Gate, h *Holder) {
	r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "zkine_read_lease_held", Help: "Whether this zkine holds the read lease.",
		}, func() float64 {
			if held, _ := h.status(); held {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "zkine_read_lease_reads_total", Help: "Linearizable reads that were answered by the read lease, without a barrier.",
		}, func() float64 {
			_, reads := h.status()
			return float64(reads)
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "zkine_read_lease_held_back_seconds_total",
			Help: "For how long slots of the log were held back until another zkine, which holds the read lease, had seen them; all added up.",
		}, func() float64 { return g.Waited().Seconds() }),
	)
}

// status says whether the lease is held, and how many reads it has answered.
func (h *Holder) status() (held bool, reads uint64) {
	if h == nil {
		return false, 0
	}
	now := h.Clock()
	h.mu.Lock()
	defer h.mu.Unlock()
	return now < h.until, h.leased
}
