"""What Windows' console tools say, by language: in no case anything to parse, and so posed in several.

English, "not found" of reg.exe in every language and the Russian labels of sc.exe are those of real hosts; the other
translations are ours and stand for "other words".
"""

from __future__ import annotations

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "not found": "ERROR: The system was unable to find the specified registry key or value.",
        "not found, xp": "Error:  The system was unable to find the specified registry key or value",
        "denied": "ERROR: Access is denied.",
        "denied, xp": "Error:  Access is denied.",
        "syntax": 'ERROR: Invalid syntax.\r\nType "REG QUERY /?" for usage.',
        "syntax, xp": "Error:  Invalid command-line parameters",
        "found": "End of search: {} match(es) found.",
        "default": "(Default)",
        "unset": "(value not set)",
        "unknown": "'{}' is not recognized as an internal or external command,\r\noperable program or batch file.",
        "unknown, nt": "The name specified is not recognized as an\r\ninternal or external command, operable program or batch file.",
        "started": "These Windows services are started:",
        "started, nt": "These Windows NT services are started:",
        "done": "The command completed successfully.",
        "no service": "The specified service does not exist as an installed service.",
        "rights": "Microsoft Corporation. All rights reserved.",
    },
    "de": {
        "not found": "FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden.",
        "not found, xp": "Fehler:  Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden",
        "denied": "FEHLER: Zugriff verweigert",
        "denied, xp": "Fehler:  Zugriff verweigert",
        "syntax": 'FEHLER: Ungültige Syntax.\r\nGeben Sie "REG QUERY /?" ein, um die Syntax anzuzeigen.',
        "syntax, xp": "Fehler:  Ungültige Befehlszeilenparameter",
        "found": "Suchende: {} Übereinstimmung(en) gefunden.",
        "default": "(Standard)",
        "unset": "(Wert nicht gesetzt)",
        "unknown": 'Der Befehl "{}" ist entweder falsch geschrieben oder\r\nkonnte nicht gefunden werden.',
        "started": "Diese Windows-Dienste sind gestartet:",
        "done": "Der Befehl wurde erfolgreich ausgeführt.",
        "no service": "Der angegebene Dienst ist kein installierter Dienst.",
        "rights": "Microsoft Corporation. Alle Rechte vorbehalten.",
    },
    "ru": {
        "not found": "Ошибка: Не удается найти указанный раздел или параметр в реестре.",
        "denied": "Ошибка: Отказано в доступе.",
        "syntax": 'Ошибка: Неверный синтаксис.\r\nВведите "REG QUERY /?" для получения справки.',
        "found": "Поиск завершен: найдено совпадений: {}.",
        "default": "(по умолчанию)",
        "unset": "(значение не задано)",
        "unknown": '"{}" не является внутренней или внешней\r\nкомандой, исполняемой программой или пакетным файлом.',
        "started": "Запущены следующие службы Windows:",
        "done": "Команда выполнена успешно.",
        "no service": "Указанная служба не установлена.",
        "rights": "Корпорация Майкрософт (Microsoft Corporation). Все права защищены.",
    },
    "ja": {
        "not found": "エラー: 指定されたレジストリ キーまたは値が見つかりませんでした",
        "denied": "エラー: アクセスが拒否されました。",
        "syntax": "エラー: 構文が無効です。\r\n使用法については「REG QUERY /?」と入力してください。",
        "found": "検索の終了: {} 件が見つかりました。",
        "default": "(既定)",
        "unset": "(値の設定なし)",
        "unknown": "'{}' は、内部コマンドまたは外部コマンド、\r\n操作可能なプログラムまたはバッチ ファイルとして認識されていません。",
        "started": "次の Windows サービスが開始されています:",
        "done": "コマンドは正常に終了しました。",
        "no service": "指定されたサービスはインストールされたサービスとして存在しません。",
        "rights": "Microsoft Corporation. All rights reserved.",
    },
}

# The labels of `sc query`; the words RUNNING and STOPPED and the numbers are never translated.
LABELS = {
    "en": ("SERVICE_NAME", "DISPLAY_NAME", "TYPE", "STATE", "WIN32_EXIT_CODE", "SERVICE_EXIT_CODE", "CHECKPOINT", "WAIT_HINT"),
    "de": ("SERVICE_NAME", "DISPLAY_NAME", "TYP", "STATUS", "WIN32_EXIT_CODE", "SERVICE_EXIT_CODE", "CHECKPOINT", "WAIT_HINT"),
    "ru": (
        "Имя_службы", "Выводимое_имя", "Тип", "Состояние",
        "Код_выхода_Win32", "Код_выхода_службы", "Контрольная_точка", "Ожидание",
    ),
}  # fmt: skip


def word(language: str, name: str, variant: str = "") -> str:
    words = WORDS[language]
    return words.get(f"{name}, {variant}") or words[name]
