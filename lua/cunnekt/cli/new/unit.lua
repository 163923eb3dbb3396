-- SPDX-License-Identifier: MIT
-- The unit for systemd: `cunnekt new` writes it beside a script, and `make install` installs it as cunnekt.service.

local unit = {}

-- DynamicUser implies PrivateTmp, ProtectSystem=strict, NoNewPrivileges, RemoveIPC and RestrictSUIDSGID; they are named for
-- those who set another user. The admin socket beside the store is what backup, doctor and the other commands use: root
-- reaches it at any time. `cunnekt` without a folder is found in /usr/local/bin or /usr/bin.
local TEXT = [[
[Unit]
Description=WhatsApp bot (%SERVICE%)
Documentation=man:cunnekt(1) man:cunnekt.conf(5)
After=network-online.target
Wants=network-online.target
ConditionPathExists=%FOLDER%/bot.lua

[Service]
ExecStart=cunnekt run %FOLDER%/bot.lua
EnvironmentFile=/etc/%SERVICE%.env
Environment=CUNNEKT_STORE=sqlite:/var/lib/%SERVICE%/bot.db
WorkingDirectory=/var/lib/%SERVICE%
StateDirectory=%SERVICE%
StateDirectoryMode=0700
UMask=0077
Restart=always
RestartSec=2
TimeoutStopSec=30

DynamicUser=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
]]

---The unit's text.
---@param service string the service's name, without .service: its environment file and the folder of its store have it too
---@param folder string where bot.lua is
---@return string
function unit.text(service, folder)
  return (TEXT:gsub("%%(%u+)%%", { SERVICE = service, FOLDER = folder }))
end

return unit
