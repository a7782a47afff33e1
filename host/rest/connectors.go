package rest

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/wasmstream/wasmstream/connectors/fault"
	"github.com/wasmstream/wasmstream/host/connect"
)

func getRoot(r *request) error {
	writeJSON(r.w, http.StatusOK, connect.ServerInfo{Version: r.h.Version, Commit: r.h.Commit, ClusterID: r.h.Herder.ClusterID(r.Context())})
	return nil
}

// health is the answer of GET /health (KIP-1017).
type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func getHealth(r *request) error {
	var late *connect.TimeoutError
	if err := r.h.Herder.AwaitStarted(r.Context()); errors.As(err, &late) {
		writeJSON(r.w, http.StatusServiceUnavailable, health{"starting", "Worker is still starting up. " + stageText(&late.Stage)})
		return nil
	}
	if !r.h.Herder.Healthy() {
		writeJSON(r.w, http.StatusInternalServerError, health{"unhealthy", "Worker was unable to handle this request and may be unable to handle other requests."})
		return nil
	}
	writeJSON(r.w, http.StatusOK, health{"healthy", "Worker has completed startup and is ready to handle requests."})
	return nil
}

func getConnectors(r *request) error {
	names := r.h.Herder.Connectors()
	query := r.URL.Query()
	if !query.Has("expand") {
		writeJSON(r.w, http.StatusOK, names)
		return nil
	}
	out := map[string]map[string]any{}
	for _, name := range names {
		entry, err := r.expanded(name, query["expand"])
		if fault.NotFound.Is(err) {
			continue // deleted meanwhile, or not started yet
		}
		if err != nil {
			return err
		}
		out[name] = entry
	}
	writeJSON(r.w, http.StatusOK, out)
	return nil
}

func (r *request) expanded(name string, what []string) (map[string]any, error) {
	entry := map[string]any{}
	for _, e := range what {
		switch e {
		case "status":
			s, err := r.h.Herder.Status(name)
			if err != nil {
				return nil, err
			}
			entry[e] = s
		case "info":
			i, err := r.h.Herder.Info(name)
			if err != nil {
				return nil, err
			}
			entry[e] = i
		}
	}
	return entry, nil
}

func postConnector(r *request) error {
	if err := r.json(); err != nil {
		return err
	}
	c, err := parseCreation(r.body)
	if err != nil {
		return err
	}
	if err := named(c.config, c.name); err != nil {
		return err
	}
	var offsets []connect.PartitionOffset
	if c.offsets != nil {
		if offsets, err = connect.ParseOffsets(c.offsets); err != nil {
			return err
		}
	}
	_, info, offsetsStatus, err := r.h.Herder.CreateConnector(r.Context(), c.name, c.config, c.initial, offsets)
	if err != nil {
		return r.forwarded(err, true)
	}
	r.created(c.name)
	if offsetsStatus == "" {
		writeJSON(r.w, http.StatusCreated, info)
		return nil
	}
	writeJSON(r.w, http.StatusCreated, struct {
		connect.ConnectorInfo
		Offsets string `json:"offsets_status"`
	}{info, offsetsStatus})
	return nil
}

// created names the place of a new connector.
func (r *request) created(name string) {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	r.w.Header().Set("Location", Location(scheme, r.Host, name))
}

func getConnector(r *request) error {
	info, err := r.h.Herder.Info(r.name())
	if err != nil {
		return err
	}
	writeJSON(r.w, http.StatusOK, info)
	return nil
}

func getConfig(r *request) error {
	props, err := r.h.Herder.ConnectorConfig(r.name())
	if err != nil {
		return err
	}
	writeJSON(r.w, http.StatusOK, props)
	return nil
}

func getStatus(r *request) error {
	s, err := r.h.Herder.Status(r.name())
	if err != nil {
		return err
	}
	writeJSON(r.w, http.StatusOK, s)
	return nil
}

func putConfig(r *request) error {
	if err := r.json(); err != nil {
		return err
	}
	props, err := settings(r.body)
	if err != nil {
		return err
	}
	if props == nil {
		return status(http.StatusInternalServerError, "the request has no settings")
	}
	if err := named(props, r.name()); err != nil {
		return err
	}
	created, info, err := r.h.Herder.PutConnector(r.Context(), r.name(), props, "", true)
	if err != nil {
		return r.forwarded(err, true)
	}
	if created {
		r.created(r.name())
		writeJSON(r.w, http.StatusCreated, info)
		return nil
	}
	writeJSON(r.w, http.StatusOK, info)
	return nil
}

func patchConfig(r *request) error {
	if err := r.json(); err != nil {
		return err
	}
	patch, err := settings(r.body)
	if err != nil {
		return err
	}
	if patch == nil {
		return status(http.StatusInternalServerError, "the request has no settings")
	}
	info, err := r.h.Herder.PatchConnector(r.Context(), r.name(), patch)
	if err != nil {
		return r.forwarded(err, true)
	}
	writeJSON(r.w, http.StatusOK, info)
	return nil
}

func deleteConnector(r *request) error {
	return r.empty(http.StatusNoContent, r.h.Herder.DeleteConnector(r.Context(), r.name()))
}

// empty answers without a body, or forwards, or fails.
func (r *request) empty(code int, err error) error {
	if err != nil {
		return r.forwardedAs(err, code)
	}
	r.w.WriteHeader(code)
	return nil
}

func pause(r *request) error {
	return r.empty(http.StatusAccepted, r.h.Herder.SetTarget(r.Context(), r.name(), connect.Paused))
}

func resume(r *request) error {
	return r.empty(http.StatusAccepted, r.h.Herder.SetTarget(r.Context(), r.name(), connect.Started))
}

func stop(r *request) error {
	return r.empty(http.StatusNoContent, r.h.Herder.StopConnector(r.Context(), r.name()))
}

func restart(r *request) error {
	query := r.URL.Query()
	tasks, failed := strings.EqualFold(query.Get("includeTasks"), "true"), strings.EqualFold(query.Get("onlyFailed"), "true")
	if !tasks && !failed {
		return r.empty(http.StatusNoContent, r.h.Herder.RestartConnector(r.Context(), r.name()))
	}
	info, err := r.h.Herder.RestartWhole(r.Context(), connect.RestartRequest{Connector: r.name(), OnlyFailed: failed, IncludeTasks: tasks})
	if err != nil {
		return r.forwarded(err, true)
	}
	writeJSON(r.w, http.StatusAccepted, info)
	return nil
}

func getTasks(r *request) error {
	tasks, err := r.h.Herder.Tasks(r.name())
	if err != nil {
		return err
	}
	writeJSON(r.w, http.StatusOK, tasks)
	return nil
}

// task is the task in the path.
func (r *request) task() (connect.TaskID, error) {
	n, err := connect.ParseTaskPath(r.PathValue("task"))
	return connect.TaskID{Connector: r.name(), Task: n}, err
}

func getTaskStatus(r *request) error {
	id, err := r.task()
	if err != nil {
		return err
	}
	s, err := r.h.Herder.TaskStatus(id)
	if err != nil {
		return err
	}
	writeJSON(r.w, http.StatusOK, s)
	return nil
}

func restartTask(r *request) error {
	id, err := r.task()
	if err != nil {
		return err
	}
	return r.empty(http.StatusNoContent, r.h.Herder.RestartTask(r.Context(), id))
}

func getTopics(r *request) error {
	topics, err := r.h.Herder.ActiveTopics(r.name())
	if err != nil {
		return err
	}
	writeJSON(r.w, http.StatusOK, map[string]any{r.name(): map[string]any{"topics": topics}})
	return nil
}

func resetTopics(r *request) error {
	return r.empty(http.StatusAccepted, r.h.Herder.ResetTopics(r.name()))
}

func getOffsets(r *request) error {
	list, err := r.h.Herder.Offsets(r.Context(), r.name())
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b connect.OffsetInfo) int { return strings.Compare(string(a.Partition), string(b.Partition)) })
	writeJSON(r.w, http.StatusOK, map[string]any{"offsets": list})
	return nil
}

func patchOffsets(r *request) error {
	if err := r.json(); err != nil {
		return err
	}
	list, err := parseOffsets(r.body)
	if err != nil {
		return err
	}
	offsets, err := connect.ParseOffsets(list)
	if err != nil {
		return err
	}
	return r.altered(r.h.Herder.AlterOffsets(r.Context(), r.name(), offsets, false))
}

func deleteOffsets(r *request) error {
	return r.altered(r.h.Herder.AlterOffsets(r.Context(), r.name(), nil, true))
}

func (r *request) altered(message string, err error) error {
	if err != nil {
		return r.forwarded(err, true)
	}
	writeJSON(r.w, http.StatusOK, map[string]string{"message": message})
	return nil
}

// signature reads the signature of a request between workers.
func (r *request) signature() (connect.RequestSignature, error) {
	s, err := connect.ParseSignature(r.Header.Get(connect.SignatureHeader), r.Header.Get(connect.SignatureAlgorithmHeader))
	if err != nil {
		return s, status(http.StatusBadRequest, "%s", err.Error())
	}
	return s, nil
}

func postTasks(r *request) error {
	if !r.h.Herder.Config().Distributed() {
		return status(http.StatusInternalServerError, "Kafka Connect in standalone mode does not support externally setting task configurations.")
	}
	s, err := r.signature()
	if err != nil && r.h.Herder.Signs() {
		return err
	}
	return r.empty(http.StatusNoContent, r.h.Herder.AcceptTasks(r.Context(), r.name(), r.body, s))
}

func putFence(r *request) error {
	if !r.h.Herder.Config().Distributed() {
		return status(http.StatusInternalServerError, "Kafka Connect in standalone mode does not support exactly-once source connectors.")
	}
	s, err := r.signature()
	if err != nil && r.h.Herder.Signs() {
		return err
	}
	return r.empty(http.StatusOK, r.h.Herder.AcceptFence(r.Context(), r.name(), r.body, s))
}

// forwarded has another worker answer, if that is what err asks for; any other error is the answer.
func (r *request) forwarded(err error, relayBody bool) error {
	var other *connect.NotLeader
	if !errors.As(err, &other) {
		return err
	}
	return r.forward(other, 0, relayBody)
}

// forwardedAs is forwarded with the status that any success has here.
func (r *request) forwardedAs(err error, success int) error {
	var other *connect.NotLeader
	if !errors.As(err, &other) {
		return err
	}
	return r.forward(other, success, false)
}
