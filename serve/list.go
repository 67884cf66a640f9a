package serve

import "net/http"

// listed is a model in /models.
type listed struct {
	Name    string   `json:"name"`
	Network string   `json:"network"`
	Shape   []int    `json:"shape"` // of a sample, [C,H,W]
	Classes []string `json:"classes,omitempty"`
	Outputs int      `json:"outputs"` // numbers of the output
}

// list answers with the models.
func (s *Server) list(w http.ResponseWriter, _ *http.Request) error {
	out := struct {
		Models   []listed `json:"models"`
		Features []string `json:"features,omitempty"`
		Pictures int      `json:"pictures"` // of a request, at most
	}{Features: s.o.Features, Pictures: s.o.Pictures}
	for _, m := range s.models {
		g, err := m.acquire()
		if err != nil {
			return err
		}
		l := listed{Name: m.name, Network: g.net.Network(), Shape: g.net.Shape(), Classes: g.net.Classes(), Outputs: 1}
		for _, d := range g.net.OutputShape() {
			l.Outputs *= d
		}
		g.release()
		out.Models = append(out.Models, l)
	}
	answerJSON(w, http.StatusOK, out)
	return nil
}
