# auditor: the least rights for reading this host by WMI over WinRM. Run it once, as an administrator, in PowerShell 3 or later.
# It opens two doors for one account or group, and writes beside itself how they stood before; docs/windows.md says why,
# and what else there is (the HTTPS listener, the firewall, services that hide their state).
$ErrorActionPreference = 'Stop'
$account = '@ACCOUNT@'
$who = (New-Object Security.Principal.NTAccount $account).Translate([Security.Principal.SecurityIdentifier])

# 1. WinRM: the built-in group Remote Management Users, by its number, for its name is translated.
$door = ([Security.Principal.SecurityIdentifier]'S-1-5-32-580').Translate([Security.Principal.NTAccount]).Value.Split('\')[1]
net localgroup $door $account /add

# 2. WMI from afar, in two namespaces and not below them: Enable Account (1), Execute Methods (2), Remote Enable (0x20).
foreach ($namespace in 'root/cimv2', 'root/default') {
    $now = (Invoke-CimMethod -Namespace $namespace -ClassName __SystemSecurity -MethodName GetSD).SD
    [Convert]::ToBase64String($now) | Out-File "wmi-$($namespace -replace '/', '-').before.txt"
    $sd = New-Object Security.AccessControl.RawSecurityDescriptor $now, 0
    $ace = New-Object Security.AccessControl.CommonAce 'None', 'AccessAllowed', 0x23, $who, $false, $null
    $sd.DiscretionaryAcl.InsertAce(0, $ace)
    $bytes = New-Object byte[] $sd.BinaryLength
    $sd.GetBinaryForm($bytes, 0)
    Invoke-CimMethod -Namespace $namespace -ClassName __SystemSecurity -MethodName SetSD -Arguments @{ SD = $bytes } | Out-Null
}
Write-Output "done; try it from the auditing machine: auditor ping winrm://$env:COMPUTERNAME"
