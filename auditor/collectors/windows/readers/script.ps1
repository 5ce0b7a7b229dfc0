& {
# auditor's collection script for PowerShell 2.0 to 7, also in Constrained Language Mode. It was checked by a parser and by
# tests/collectors/windows/readers/test_powershell.py; it was NOT executed where it was written: there is no PowerShell there.
# It only reads. It is the same text for every host; what varies is one assignment, a line of its own sent before it:
#     $auditor = 'MARKER', 'OPTIONS', 'HKLM\KEY#VALUE', 'HKLM\KEY#', 'HKLM\KEY', 'HKLM\KEY\*', ...
# OPTIONS is - or wua; KEY# asks for a key's default value, KEY for its subkeys, KEY\* for three levels of them. Both go to
# the standard input of "powershell -NoProfile -NonInteractive -Command -", which reads a statement of several lines up to
# the first empty line and runs it as a whole: so there is no empty line in here, and one at the end, or nothing is run.
# Rows are JSON objects in ASCII. PowerShell 2.0 breaks what it prints at the width of a console, so a row goes out in
# pieces of 70 characters, and every piece that is continued ends in a backslash.
$ErrorActionPreference = 'Stop'
$WarningPreference = 'SilentlyContinue'
$ProgressPreference = 'SilentlyContinue'
$mark = $auditor[0]
$mode = "$($ExecutionContext.SessionState.LanguageMode)"
function Format-Text($text) {
    if ($text -cmatch '^[ !#-\[\]-~]*\z') { return '"' + $text + '"' }
    $parts = foreach ($one in $text.ToCharArray()) {
        $code = [int]$one
        if ($code -lt 32 -or $code -gt 126 -or $code -eq 34 -or $code -eq 92) { '\u{0:x4}' -f $code } else { "$one" }
    }
    return '"' + ($parts -join '') + '"'
}
function Format-Value($value) {
    if ($null -eq $value) { return 'null' }
    if ($value -is [bool]) { if ($value) { return 'true' } else { return 'false' } }
    if ($value -is [int] -or $value -is [long] -or $value -is [byte] -or $value -is [decimal]) { return "$value" }
    if ($value -is [uint16] -or $value -is [uint32] -or $value -is [uint64]) { return "$value" }
    if ($value -is [datetime]) {
        # the calendar of the host's culture must not show: no ToString. Dates from COM are in UTC and say no kind.
        $at = $value
        if ("$($value.Kind)" -eq 'Local') { $at = $value.ToUniversalTime() }
        return '"{0:d4}-{1:d2}-{2:d2}T{3:d2}:{4:d2}:{5:d2}Z"' -f $at.Year, $at.Month, $at.Day, $at.Hour, $at.Minute, $at.Second
    }
    if ($value -is [array]) {
        $parts = @()
        foreach ($one in $value) { $parts += Format-Value $one }
        return '[' + ($parts -join ',') + ']'
    }
    return Format-Text "$value"
}
function Format-Row($names, $values) {
    $parts = @()
    for ($i = 0; $i -lt $names.Length; $i++) { $parts += '"' + $names[$i] + '":' + (Format-Value $values[$i]) }
    return '{' + ($parts -join ',') + '}'
}
function Format-Object($object, $names) {
    $values = @()
    foreach ($name in $names) { $values += , $object.$name }
    return Format-Row $names $values
}
function Format-Failure($failure) {
    # never the message: it is prose in the host's language. The code is WMI's name for it, or COM's number.
    $code = $failure.Exception.ErrorCode
    if ($null -eq $code) { $code = $failure.Exception.InnerException.ErrorCode }
    return Format-Row ('error', 'category', 'code') ($failure.FullyQualifiedErrorId, "$($failure.CategoryInfo.Category)", $code)
}
function Show-Row($row) {
    for ($i = 0; $i + 70 -lt $row.Length; $i += 70) { $row.Substring($i, 70) + '\' }
    $row.Substring($i)
}
function Show-Section($name, $block) {
    ''
    "$mark<$name"
    $status = 0
    try { & $block | ForEach-Object { Show-Row $_ } } catch {
        $status = 1
        Show-Row (Format-Failure $_)
    }
    ''
    "$mark>$name $status - -"
}
function Get-Rows($query) {
    # PowerShell 6 and later have no Get-WmiObject, 2.0 has no Get-CimInstance
    if (Get-Command -Name Get-WmiObject -CommandType Cmdlet -ErrorAction SilentlyContinue) {
        Get-WmiObject -Query $query
    } else {
        Get-CimInstance -Query $query
    }
}
function Get-Path($key) {
    if ($key -like 'HKLM\*') { $key = 'HKEY_LOCAL_MACHINE\' + $key.Substring(5) }
    return 'Registry::' + $key
}
function Read-Key($key) {
    # all values of one key at once: whether a value is there is then a fact and not the reading of an error
    try {
        $values = Get-ItemProperty -LiteralPath (Get-Path $key)
        return @{ found = $true; data = $values; failure = $null }
    } catch {
        if ("$($_.CategoryInfo.Category)" -eq 'ObjectNotFound') { return @{ found = $false; data = $null; failure = $null } }
        return @{ found = $null; data = $null; failure = $_ }
    }
}
function Show-Failure($key, $name, $failure) {
    $id = $failure.FullyQualifiedErrorId
    Format-Row ('key', 'name', 'found', 'error', 'category') ($key, $name, $null, $id, "$($failure.CategoryInfo.Category)")
}
function Show-Data($key, $name, $data) {
    # by the type in PowerShell's hands: REG_EXPAND_SZ comes expanded and is called REG_SZ, REG_NONE is called REG_BINARY
    $type = 'other'
    $cut = $false
    if ($data -is [int] -or $data -is [uint32]) {
        $type = 'REG_DWORD'
        if ($data -lt 0) { $data = $data + 4294967296 }
    } elseif ($data -is [long] -or $data -is [uint64]) {
        $type = 'REG_QWORD'
        if ($data -lt 0) { $data = [decimal]$data + 18446744073709551616 }
    } elseif ($data -is [string]) {
        $type = 'REG_SZ'
        $cut = $data.Length -gt 4096
        if ($cut) { $data = $data.Substring(0, 4096) }
    } elseif ($data -is [byte[]]) {
        $type = 'REG_BINARY'
        $cut = $data.Length -gt 1024
        if ($cut) { $data = $data[0..1023] }
        $parts = @()
        foreach ($one in $data) { $parts += '{0:x2}' -f $one }
        $data = $parts -join ''
    } elseif ($data -is [string[]]) {
        $type = 'REG_MULTI_SZ'
        $cut = $data.Length -gt 512
        if ($cut) { $data = $data[0..511] }
    } else {
        $data = $null
    }
    Format-Row ('key', 'name', 'found', 'type', 'data', 'cut') ($key, $name, $true, $type, $data, $cut)
}
function Show-Value($key, $name, $read) {
    if ($null -ne $read.failure) { return Show-Failure $key $name $read.failure }
    $wanted = $name
    if ($name -eq '') { $wanted = '(default)' }
    if ($null -ne $read.data) {
        foreach ($one in $read.data.PSObject.Properties) {
            if ($one.Name -eq $wanted) { return Show-Data $key $name $one.Value }
        }
    }
    Format-Row ('key', 'name', 'found', 'present') ($key, $name, $false, $read.found)
}
function Read-Subkeys($key) {
    $names = @()
    Get-ChildItem -LiteralPath (Get-Path $key) -Name | ForEach-Object { $names += "$_" }
    return , $names
}
function Show-Subkeys($key) {
    $names = @()
    try {
        if ($key -notlike '*\[*]') {
            $names = Read-Subkeys $key
        } else {
            $top = $key.Substring(0, $key.Length - 2)
            foreach ($one in (Read-Subkeys $top)) {
                $names += $one
                foreach ($two in (Read-Subkeys "$top\$one")) {
                    $names += "$one\$two"
                    foreach ($three in (Read-Subkeys "$top\$one\$two")) { $names += "$one\$two\$three" }
                }
            }
        }
    } catch {
        if ("$($_.CategoryInfo.Category)" -ne 'ObjectNotFound') { return Show-Failure $key $null $_ }
        return Format-Row ('key', 'found') ($key, $false)
    }
    Format-Row ('key', 'found', 'subkeys') ($key, $true, $names)
}
''
"$mark=plain"
Show-Section 'powershell' {
    # wow64 is not null in a 32-bit PowerShell on a 64-bit Windows, which is shown another part of the registry
    $values = "$($PSVersionTable.PSVersion)", $mode, $env:PROCESSOR_ARCHITECTURE, $env:PROCESSOR_ARCHITEW6432
    Format-Row ('version', 'mode', 'arch', 'wow64') $values
}
Show-Section 'os' {
    $names = 'Version', 'BuildNumber', 'CSDVersion', 'ServicePackMajorVersion', 'ProductType', 'OSProductSuite', 'SuiteMask',
        'OperatingSystemSKU', 'OSArchitecture', 'LastBootUpTime', 'LocalDateTime', 'CodeSet'
    Get-Rows 'SELECT * FROM Win32_OperatingSystem' | ForEach-Object { Format-Object $_ $names }
}
Show-Section 'qfe' {
    Get-Rows 'SELECT HotFixID, ServicePackInEffect FROM Win32_QuickFixEngineering' | ForEach-Object {
        Format-Object $_ ('HotFixID', 'ServicePackInEffect')
    }
}
Show-Section 'services' {
    Get-Rows 'SELECT Name, State, StartMode FROM Win32_Service' | ForEach-Object {
        Format-Object $_ ('Name', 'State', 'StartMode')
    }
}
Show-Section 'registry' {
    $cache = @{}
    for ($i = 2; $i -lt $auditor.Length; $i++) {
        $hash = $auditor[$i].LastIndexOf('#')
        if ($hash -lt 0) {
            Show-Subkeys $auditor[$i]
        } else {
            $key = $auditor[$i].Substring(0, $hash)
            if ($null -eq $cache[$key]) { $cache[$key] = Read-Key $key }
            Show-Value $key ($auditor[$i].Substring($hash + 1)) $cache[$key]
        }
    }
}
if ($auditor[1] -eq 'wua') {
    Show-Section 'wua' {
        # objects of COM are refused in Constrained Language Mode
        if ($mode -ne 'FullLanguage') { throw 'unreadable: constrained language' }
        $session = New-Object -ComObject 'Microsoft.Update.Session'
        $searcher = $session.CreateUpdateSearcher()
        # offline: what the last search of the host's own left in its cache; no server is asked
        $searcher.Online = $false
        $found = $searcher.Search('IsInstalled=0 and IsHidden=0')
        $searched = $null
        try {
            $searched = (New-Object -ComObject 'Microsoft.Update.AutoUpdate').Results.LastSearchSuccessDate
        } catch {
            $searched = $null
        }
        Format-Row ('result', 'searched', 'updates') ($found.ResultCode, $searched, $found.Updates.Count)
        foreach ($update in $found.Updates) {
            $articles = @()
            foreach ($article in $update.KBArticleIDs) { $articles += "KB$article" }
            $values = $update.Identity.UpdateID, $articles, $update.MsrcSeverity, $update.RebootRequired, $update.BrowseOnly
            Format-Row ('id', 'articles', 'severity', 'reboot', 'optional') $values
        }
    }
}
''
"$mark.end"
}

