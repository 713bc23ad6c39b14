import type { Snippet, SnippetFacts } from './facts.ts'

/** A hardened unit. Node compiles code at run time, so memory that is writable and executable must be allowed. */
export function systemdSnippet(facts: SnippetFacts): Snippet {
  const text = `# /etc/systemd/system/postern.service, made by \`postern snippet systemd\`.
[Unit]
Description=Postern, authentication in front of an HTTP API
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart=/usr/bin/postern run --config /etc/postern/postern.yaml
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=1s
# A config that is wrong does not get better by starting again.
RestartPreventExitStatus=78
# Draining takes at most ${facts.drainSeconds} s.
TimeoutStopSec=${facts.drainSeconds + 5}s
Environment=NODE_ENV=production
# Secrets by \${cred:name} in the config:
#LoadCredential=jwt-secret:/etc/postern/secrets/jwt-secret
ConfigurationDirectory=postern
ConfigurationDirectoryMode=0750
StateDirectory=postern
StateDirectoryMode=0700

DynamicUser=yes
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
PrivateIPC=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`
  return new Map([['postern.service', text]])
}
