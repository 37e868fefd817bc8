import "../js/receipts/page.mjs";
