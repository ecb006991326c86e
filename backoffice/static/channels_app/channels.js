"use strict";

// What htmx cannot show: whoever was logged out meanwhile, or whose channel was deleted, is told so by the whole page.

document.addEventListener("htmx:responseError", () => location.reload());
document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, pathInfo } = event.detail;
    if (new URL(xhr.responseURL).pathname === new URL(pathInfo.requestPath, location.href).pathname) return;
    event.detail.shouldSwap = false; // it was redirected, to the login
    location.reload();
});
