import type { Snippet, SnippetFacts } from './facts.ts'

/** What Prometheus scrapes. Rules and dashboard are files of `deploy/prometheus`: they do not depend on a config. */
export function prometheusSnippet(facts: SnippetFacts): Snippet {
  const text = `# prometheus.yml, made by \`postern snippet prometheus\`. alerts.yml and recording.yml are in deploy/prometheus of the package.
global:
  scrape_interval: 15s
rule_files:
  - '*alerts.yml'
  - '*recording.yml'
scrape_configs:
  - job_name: postern
    metrics_path: /metrics
    static_configs:
      - targets: ["127.0.0.1:${facts.opsPort}"]
`
  return new Map([['prometheus.yml', text]])
}
