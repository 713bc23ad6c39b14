import type { Snippet, SnippetFacts } from './facts.ts'

/**
 * Postern, Redis, an API to try it on and Prometheus. Inside a container the config's own addresses mean the container itself, so
 * listeners and upstream are set by variables, which go before the file.
 */
export function composeSnippet(facts: SnippetFacts): Snippet {
  const text = `# compose.yaml, made by \`postern snippet compose\`. The config is ./postern.yaml; it reads these variables:
# POSTERN_LISTEN, POSTERN_OPS and POSTERN_UPSTREAM replace "listen", "ops" and "upstream".
services:
  postern:
    image: ghcr.io/example/postern:${facts.version}
    command: [run, --config, /etc/postern/postern.yaml]
    environment:
      POSTERN_LISTEN: 0.0.0.0:8080
      POSTERN_OPS: 0.0.0.0:9090
${facts.forwardAuth ? '' : '      POSTERN_UPSTREAM: http://api:3000\n'}      POSTERN_STORE: redis://redis:6379
    ports: ["127.0.0.1:8080:8080"]
    volumes: ["./:/etc/postern:ro"]
    read_only: true
    user: "65532:65532"
    cap_drop: [ALL]
    security_opt: [no-new-privileges:true]
    mem_limit: 256m
    stop_grace_period: ${facts.drainSeconds + 5}s
    depends_on: [redis]
  redis:
    image: docker.io/library/redis:7
    # No port is published, and it has no password: without this it would answer nobody.
    command: [redis-server, --protected-mode, "no", --save, "", --appendonly, "no"]
  api:
    image: docker.io/library/python:3-slim
    # Reached by Postern alone: no port is published.
    command: [python3, -m, http.server, "3000"]
  prometheus:
    image: docker.io/prom/prometheus:v3.7.0
    command: [--config.file=/etc/prometheus/prometheus.yml]
    ports: ["127.0.0.1:9091:9090"]
    volumes: ["./prometheus:/etc/prometheus:ro"]
`
  const scrape = `global: { scrape_interval: 15s }
rule_files: ['*alerts.yml', '*recording.yml']
scrape_configs:
  - job_name: postern
    static_configs: [{ targets: ["postern:9090"] }]
`
  return new Map([['compose.yaml', text], ['prometheus/prometheus.yml', scrape]])
}
