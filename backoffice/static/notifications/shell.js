"use strict";

// Times are shown in the time zone of whoever looks: the server reads it from this cookie.
(() => {
    const cookie = `time_zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}`;
    if (document.cookie.split("; ").includes(cookie)) return;
    // Of Tidings alone, where it is below a path of its host.
    const below = new URL(document.currentScript.src).pathname.split("/static/")[0] || "/";
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `${cookie}; path=${below}; max-age=31536000; samesite=lax${secure}`;
})();

// Ctrl+K, or ⌘K, goes to the search of the page.
document.addEventListener("keydown", (event) => {
    const box = document.getElementById("search-box");
    if (!box || event.key !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    box.focus();
    box.select();
});
