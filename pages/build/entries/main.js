import "../js/htmx.js";
import "../js/copy.js";
import "../js/dialogs.js";
import "../js/forms.js";
import "../js/live.js";
import "../js/charts.js";
import "../js/place.js";
