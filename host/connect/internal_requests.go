package connect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// sendTasks has the leader store the settings of tasks.
func (h *Herder) sendTasks(ctx context.Context, leader, name string, tasks []map[string]string) error {
	body, err := json.Marshal(tasks)
	if err != nil {
		return err
	}
	return h.sendInternal(ctx, http.MethodPost, leader, "/connectors/"+url.PathEscape(name)+"/tasks", body)
}

// askFence has the leader fence the producers of a connector's former tasks.
func (h *Herder) askFence(ctx context.Context, leader, name string) error {
	return h.sendInternal(ctx, http.MethodPut, leader, "/connectors/"+url.PathEscape(name)+"/fence", nil)
}

// Signs tells whether workers sign what they ask of each other: where all of the group speak the protocol that has it, so that a group
// can go over to it one worker after the other (KIP-507).
func (h *Herder) Signs() bool { return h.cfg.Protocol == ProtocolSession && !h.unsigned.Load() }

// sendInternal sends a signed request to another worker.
func (h *Herder) sendInternal(ctx context.Context, method, worker, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(worker, "/")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if h.Signs() {
		key := h.snapshot().SessionKey()
		if key == nil {
			return fmt.Errorf("there is no session key yet")
		}
		s, err := Sign(body, key.Key, h.cfg.SignAlgorithm)
		if err != nil {
			return err
		}
		req.Header.Set(SignatureHeader, s.Header())
		req.Header.Set(SignatureAlgorithmHeader, s.Algorithm)
	}
	resp, err := h.worker.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("worker %s answered %s: %s", worker, resp.Status, bytes.TrimSpace(answer))
	}
	return nil
}
