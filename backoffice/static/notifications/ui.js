"use strict";

// What the pages of Tidings do beyond following links and sending forms. Everything works without this file too, and
// all of it by delegation, so that what htmx brings in later behaves the same.

const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

// Announces a sentence without showing it. Behind an open dialog nothing is heard, so it is said inside.
function say(sentence) {
    const said = document.querySelector("dialog[open] [role=status]") ?? document.getElementById("ui-said");
    if (!said) return;
    said.querySelectorAll(".ui-unseen").forEach((old) => old.remove());
    const line = document.createElement("p");
    line.className = "ui-unseen";
    line.textContent = sentence;
    said.append(line);
}

// Sends a form without leaving the page. Where nobody is logged in any more the browser goes to the login, as htmx does.
async function sendForm(form) {
    const headers = { "HX-Request": "true", "HX-Current-URL": location.href };
    const response = await fetch(form.action, { method: "POST", body: new FormData(form), headers });
    if (response.headers.has("HX-Redirect")) {
        location.assign(response.headers.get("HX-Redirect"));
        return new Promise(() => {}); // nothing goes on here
    }
    return response;
}

// A form takes effect once. One that stays on the page gets the token for its next time with the answer.
document.addEventListener("htmx:afterRequest", (event) => {
    const token = event.detail.xhr?.getResponseHeader("Form-Token");
    const field = token && event.detail.elt?.closest?.("form")?.elements["form-token"];
    if (field) field.value = token;
});

// What looks again by itself does not take somebody away from a form that they are filling in, to the login.
document.addEventListener("input", (event) => {
    const form = event.target.closest("form");
    if (form?.method === "post") form.dataset.typed = "yes";
});
document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { xhr, requestConfig } = event.detail;
    const looks = xhr.getResponseHeader("HX-Redirect") && requestConfig.verb === "get";
    if (!looks || !document.querySelector("form[data-typed]")) return;
    event.preventDefault();
    if (document.getElementById("ui-session-ended")) return;
    const note = document.createElement("p");
    note.id = "ui-session-ended";
    note.className = "ui-note ui-note-warn";
    note.textContent =
        "Your session has ended. What you typed stays here. Sending it leads to the login, and after that it is in the form again.";
    (document.querySelector("dialog[open] form") ?? document.getElementById("ui-said"))?.prepend(note);
    say(note.textContent);
});

// A click that the browser is to follow by itself, such as one that opens a new tab.
const isForBrowser = (event) => event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;

// ---- Menu: <button class="ui-menu-button" aria-haspopup="menu"> followed by its <div class="ui-menu-list" role="menu">

let openMenu = null; // its button

const menuList = (button) => button.nextElementSibling;
const menuItems = (button) => [...menuList(button).querySelectorAll("[role=menuitem]:not([disabled])")];

function showMenu(button, index) {
    hideMenu();
    const list = menuList(button);
    openMenu = button;
    button.setAttribute("aria-expanded", "true");
    list.popover = "manual"; // in the top layer, so that no scrolling table cuts it off
    list.showPopover();
    const place = button.getBoundingClientRect();
    const below = place.bottom + 4 + list.offsetHeight <= innerHeight;
    list.style.top = `${below ? place.bottom + 4 : Math.max(4, place.top - 4 - list.offsetHeight)}px`;
    list.style.left = `${Math.max(8, place.right - list.offsetWidth)}px`;
    menuItems(button).forEach((item) => (item.tabIndex = -1));
    menuItems(button).at(index)?.focus({ preventScroll: true });
}

function hideMenu() {
    if (!openMenu) return;
    const button = openMenu;
    openMenu = null;
    button.setAttribute("aria-expanded", "false");
    if (!button.isConnected) return;
    if (menuList(button).contains(document.activeElement)) button.focus({ preventScroll: true });
    menuList(button).hidePopover();
}

document.addEventListener("click", (event) => {
    const button = event.target.closest(".ui-menu-button");
    if (button) {
        button === openMenu ? hideMenu() : showMenu(button, 0);
    } else if (openMenu && !menuList(openMenu).contains(event.target)) {
        hideMenu();
    } else if (openMenu && event.target.closest("[role=menuitem]")) {
        hideMenu();
    }
});

document.addEventListener("keydown", (event) => {
    const button = event.target.closest(".ui-menu-button");
    const arrow = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (button && button !== openMenu) {
        if (!arrow) return;
        event.preventDefault();
        showMenu(button, arrow > 0 ? 0 : -1);
    } else if (openMenu) {
        const items = menuItems(openMenu);
        const at = items.indexOf(document.activeElement);
        if (arrow || event.key === "Home" || event.key === "End") {
            event.preventDefault();
            const next = arrow ? (at < 0 && arrow < 0 ? -1 : (at + arrow) % items.length) : event.key === "Home" ? 0 : -1;
            items.at(next).focus();
        } else if (event.key === "Escape") {
            event.preventDefault();
            hideMenu();
        } else if (event.key === "Tab") {
            hideMenu(); // the focus is on the button again, and goes on from there
        } else if (event.key === " " && at >= 0) {
            event.preventDefault();
            items[at].click();
        } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
            const letter = event.key.toLowerCase();
            const rotated = [...items.slice(at + 1), ...items.slice(0, at + 1)];
            rotated.find((item) => item.textContent.trim().toLowerCase().startsWith(letter))?.focus();
        }
    }
});

addEventListener("scroll", hideMenu, { capture: true, passive: true });
addEventListener("resize", hideMenu);

// ---- Dialog: data-dialog="id" opens that <dialog>; data-dialog alone shows the [data-dialog-content] of the link's page

const focusAfter = new WeakMap(); // dialog -> where the focus goes when it closes

function showDialog(dialog, opener) {
    focusAfter.set(dialog, opener);
    dialog.showModal();
}

async function pageDialog(link) {
    const response = await fetch(link.href);
    const content = response.ok && !response.redirected && parsed(await response.text()).querySelector("[data-dialog-content]");
    if (!content) throw new Error("no content");
    const dialog = document.createElement("dialog");
    dialog.className = "ui-dialog";
    dialog.dataset.once = "";
    dialog.setAttribute("aria-labelledby", "ui-dialog-title");
    const title = document.createElement("h2");
    title.id = "ui-dialog-title";
    title.textContent = content.dataset.dialogContent;
    dialog.append(title, content);
    for (const form of dialog.querySelectorAll("form:not([action])")) form.action = link.href;
    (link.closest(".ui-page") ?? document.getElementById("page")).append(dialog);
    window.htmx?.process(dialog);
    return dialog;
}

document.addEventListener("click", async (event) => {
    const closer = event.target.closest("dialog [data-close]");
    if (closer) {
        event.preventDefault();
        closer.closest("dialog").close();
        return;
    }
    const opener = event.target.closest("[data-dialog]");
    if (!opener || isForBrowser(event)) return;
    event.preventDefault();
    const back = opener.closest(".ui-menu-list")?.previousElementSibling ?? opener;
    if (opener.dataset.dialog) {
        showDialog(document.getElementById(opener.dataset.dialog), back);
        return;
    }
    if (opener.dataset.busy) return; // a second click while the first one is on its way
    opener.dataset.busy = "yes";
    try {
        showDialog(await pageDialog(opener), back);
    } catch {
        location.assign(opener.href);
    } finally {
        delete opener.dataset.busy;
    }
});

document.addEventListener(
    "close",
    (event) => {
        const dialog = event.target;
        if (!focusAfter.has(dialog)) return;
        focusAfter.get(dialog)?.focus();
        if ("once" in dialog.dataset) dialog.remove();
    },
    { capture: true }, // it does not bubble
);

// ---- Copy: data-copy="#id" copies the text of that element, or the value of that field

function copyFallback(text) {
    // Without TLS there is no navigator.clipboard.
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "ui-unseen";
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (!copied) throw new Error("not copied");
}

document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const from = document.querySelector(button.dataset.copy);
    const text = from.value ?? from.textContent;
    let word = "Copied";
    try {
        if (navigator.clipboard) await navigator.clipboard.writeText(text);
        else copyFallback(text);
    } catch {
        word = "Not copied";
    }
    button.focus();
    button.dataset.label ??= button.textContent;
    button.textContent = word;
    say(`${word}.`);
    clearTimeout(button.timer);
    button.timer = setTimeout(() => (button.textContent = button.dataset.label), 2000);
});

// ---- Switches: turns an event type on or off without leaving the page; whatever goes wrong, the form is sent

document.addEventListener("submit", async (event) => {
    const form = event.target;
    const list = form.closest("[data-switches]");
    if (!list || form.dataset.plain) return;
    event.preventDefault();
    if (list.dataset.busy) return;
    list.dataset.busy = "yes";
    try {
        const response = await sendForm(form);
        if (!response.ok) throw new Error(String(response.status));
        const page = parsed(await response.text());
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

// ---- Add beside a select: <form data-adds-to="id of the select" data-shows-in="id"> in a dialog. The answer to it is the
// form again with its errors (422), or (201) an empty form, the new <option> and a [data-said] to show and announce.

document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-adds-to]");
    if (!form) return;
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    try {
        const response = await sendForm(form);
        if (response.status !== 422 && response.status !== 201) throw new Error(String(response.status));
        const page = parsed(await response.text());
        form.replaceChildren(...page.querySelector("form").children);
        if (response.status === 422) {
            form.querySelector("[aria-invalid=true]")?.focus();
            return;
        }
        const select = document.getElementById(form.dataset.addsTo);
        const option = page.querySelector("option");
        const shown = page.querySelector("[data-said]");
        select.append(option);
        select.value = option.value;
        document.getElementById(form.dataset.showsIn).replaceChildren(shown);
        focusAfter.set(form.closest("dialog"), select);
        form.closest("dialog").close();
        say(shown.dataset.said);
    } catch {
        const failed = form.querySelector("[data-failed]");
        failed.hidden = false;
        failed.focus();
    } finally {
        delete form.dataset.busy;
    }
});

// Another kind asks for other things.
document.addEventListener("change", async (event) => {
    const form = event.target.closest("[data-kind]")?.form;
    if (!form) return;
    const response = await fetch(`${form.action}?kind=${encodeURIComponent(event.target.value)}`);
    if (!response.ok) return;
    form.replaceChildren(...parsed(await response.text()).querySelector("form").children);
    form.querySelector("[data-kind]").focus();
});

// A form that comes back with errors: begin at the first of them, or at what says that somebody else was here.
document.addEventListener("DOMContentLoaded", () =>
    document.querySelector("main .ui-conflicts, main [aria-invalid=true]")?.focus(),
);
