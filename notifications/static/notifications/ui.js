"use strict";

// Turns an event type on or off without leaving the page. The form works without this file; whatever goes wrong here
// falls back to sending it.
document.addEventListener("submit", async (event) => {
    const form = event.target;
    const list = form.closest("[data-switches]");
    if (!list || form.dataset.plain) return;
    event.preventDefault();
    if (list.dataset.busy) return;
    list.dataset.busy = "yes";
    try {
        const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
        if (!response.ok) throw new Error(String(response.status));
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        const id = form.closest("li").id;
        const row = page.getElementById(id);
        if (!row) throw new Error("no row");
        document.getElementById(id).replaceWith(row);
        row.querySelector("button").focus();
        document.getElementById("ui-said").replaceChildren(...page.getElementById("ui-said").children);
    } catch {
        form.dataset.plain = "yes";
        form.requestSubmit();
    } finally {
        delete list.dataset.busy;
    }
});
