package connect

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Loggers are the levels of loggers, by Java's names of levels. Every record of this program is logged under one name; more
// names may be given levels, as scripts do that know Kafka's loggers.
type Loggers struct {
	mu struct {
		sync.Mutex
		levels map[string]LoggerInfo
	}
	now func() time.Time
}

// rootLogger is the logger above all others, runtimeLogger the one that everything here logs under.
const (
	rootLogger    = "root"
	runtimeLogger = "org.apache.kafka.connect"
)

// NewLoggers makes loggers at level INFO.
func NewLoggers() *Loggers {
	l := &Loggers{now: time.Now}
	l.mu.levels = map[string]LoggerInfo{rootLogger: {Level: "INFO"}, runtimeLogger: {Level: "INFO"}}
	return l
}

var logLevels = map[string]slog.Level{
	"ALL": slog.LevelDebug - 8, "TRACE": slog.LevelDebug - 4, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARN": slog.LevelWarn, "ERROR": slog.LevelError,
	"FATAL": slog.LevelError + 4, "OFF": slog.LevelError + 8,
}

// ValidLevel tells whether there is a level of this name, in any case.
func ValidLevel(level string) bool {
	_, ok := logLevels[strings.ToUpper(level)]
	return ok
}

// Set sets the level of a logger and of those below it; the result are those whose level changed, sorted.
func (l *Loggers) Set(namespace, level string) []string {
	level = strings.ToUpper(level)
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.now().UnixMilli()
	if _, ok := l.mu.levels[namespace]; !ok {
		l.mu.levels[namespace] = LoggerInfo{}
	}
	changed := []string{}
	for _, name := range slices.Sorted(maps.Keys(l.mu.levels)) {
		below := name == namespace || strings.HasPrefix(name, namespace+".") || namespace == rootLogger && name == runtimeLogger
		if below && l.mu.levels[name].Level != level {
			l.mu.levels[name] = LoggerInfo{Level: level, LastModified: &at}
			changed = append(changed, name)
		}
	}
	return changed
}

// All are the levels by name.
func (l *Loggers) All() map[string]LoggerInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.mu.levels)
}

// Get is the level of a logger.
func (l *Loggers) Get(name string) (LoggerInfo, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, ok := l.mu.levels[name]
	return info, ok
}

// Handler lets through what the level of the runtime's logger lets through.
func (l *Loggers) Handler(inner slog.Handler) slog.Handler { return levelHandler{inner, l} }

type levelHandler struct {
	slog.Handler
	loggers *Loggers
}

// Enabled implements slog.Handler.
func (h levelHandler) Enabled(_ context.Context, level slog.Level) bool {
	info, _ := h.loggers.Get(runtimeLogger)
	return level >= logLevels[info.Level]
}

// WithAttrs implements slog.Handler.
func (h levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelHandler{h.Handler.WithAttrs(attrs), h.loggers}
}

// WithGroup implements slog.Handler.
func (h levelHandler) WithGroup(name string) slog.Handler {
	return levelHandler{h.Handler.WithGroup(name), h.loggers}
}
