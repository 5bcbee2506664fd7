// Wide tables scroll inside the page: let those who use no mouse reach and move them. The theme wraps them after loading.
const reach = () => document.querySelectorAll(".md-typeset__scrollwrap").forEach((table) => (table.tabIndex = 0));
new MutationObserver(reach).observe(document.body, { childList: true, subtree: true });
reach();
