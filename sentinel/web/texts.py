"""Every sentence of the console, in French and in English side by side."""

from __future__ import annotations

from typing import Final, NamedTuple


class Words(NamedTuple):
    """One text in each language of the console."""

    fr: str
    en: str


class Counted(NamedTuple):
    """One text for a number `{n}`: singular and plural, as each language divides them (French: 0 and 1 are singular)."""

    one: Words
    many: Words


TEXTS: Final[dict[str, Words]] = {
    # every page
    "skip": Words("Aller au contenu", "Skip to content"),
    "nav.main": Words("Navigation principale", "Main navigation"),
    "nav.alerts": Words("Alertes", "Alerts"),
    "nav.about": Words("À propos", "About"),
    "nav.language": Words("Langue", "Language"),
    "search.label": Words("Identifiant d’un patient ou d’une personne", "Id of a patient or a person"),
    "search.hint": Words("Patient ou personne…", "Patient or person…"),
    "search.go": Words("Chercher", "Search"),
    "footer.zone": Words("Heures : {zone}", "Times: {zone}"),
    "footer.api": Words("API", "API"),
    "footer.keys": Words("Raccourcis", "Shortcuts"),
    "keys.title": Words("Raccourcis clavier", "Keyboard shortcuts"),
    "keys.next": Words("alerte suivante", "next alert"),
    "keys.previous": Words("alerte précédente", "previous alert"),
    "keys.open": Words("ouvrir l’alerte", "open the alert"),
    "keys.fresh": Words("afficher les nouvelles alertes", "show the new alerts"),
    "keys.up": Words("revenir à la file", "back to the queue"),
    "keys.search": Words("chercher", "search"),
    "keys.help": Words("cette aide", "this help"),
    "keys.close": Words("Fermer", "Close"),
    "none": Words("—", "—"),
    "colon": Words(" :", ":"),
    # the queue
    "queue.title": Words("File des alertes", "Alert queue"),
    "queue.list": Words("Alertes, de la plus à la moins urgente", "Alerts, most urgent first"),
    "queue.list.time": Words("Alertes, de la plus récente à la plus ancienne", "Alerts, latest first"),
    "queue.reason": Words("Raison", "Reason"),
    "queue.who": Words("Personne", "Person"),
    "queue.patients": Words("Patients", "Patients"),
    "queue.when": Words("Dernier accès", "Last access"),
    "queue.severity": Words("Gravité", "Severity"),
    "queue.priority": Words("Priorité", "Priority"),
    "queue.detector": Words("Détecteur", "Detector"),
    "queue.period": Words("Période", "Period"),
    "queue.suppressed": Words("Règles", "Rules"),
    "queue.told": Words("Hors masquées", "Not hidden"),
    "queue.kept": Words("Masquées seules", "Hidden only"),
    "queue.order": Words("Ordre", "Order"),
    "queue.actor": Words("Personne", "Person"),
    "queue.patient": Words("Patient", "Patient"),
    "queue.id": Words("identifiant exact", "exact id"),
    "queue.any": Words("Toutes", "Any"),
    "queue.any.detector": Words("Tous", "Any"),
    "queue.always": Words("Toute la période", "All time"),
    "queue.24h": Words("24 heures", "24 hours"),
    "queue.7d": Words("7 jours", "7 days"),
    "queue.30d": Words("30 jours", "30 days"),
    "queue.by.priority": Words("Priorité", "Priority"),
    "queue.by.time": Words("Plus récentes", "Latest"),
    "queue.apply": Words("Filtrer", "Filter"),
    "queue.filters": Words("Filtres de la file", "Queue filters"),
    "queue.clear": Words("Tout effacer", "Clear all"),
    "queue.remove": Words("Retirer le filtre {name}", "Remove the filter {name}"),
    "queue.older": Words("Alertes suivantes", "Next alerts"),
    "queue.first": Words("Début de la file", "Start of the queue"),
    "queue.pages": Words("Pages", "Pages"),
    "queue.live": Words("En direct", "Live"),
    "queue.lost": Words("Reconnexion…", "Reconnecting…"),
    "queue.show": Words("Afficher", "Show"),
    "queue.nothing.title": Words("Aucune alerte", "No alert"),
    "queue.nothing.text": Words(
        "Tous les accès reçus ont une raison ordinaire ou ne sortent pas de l’habitude. Les nouvelles alertes "
        "s’affichent ici d’elles-mêmes.",
        "Every access received has an ordinary reason or is nothing unusual. New alerts appear here by themselves.",
    ),
    "queue.filtered.title": Words("Aucune alerte ne répond à ces filtres", "No alert matches these filters"),
    "queue.filtered.text": Words("Élargissez la période ou retirez un filtre.", "Widen the period or remove a filter."),
    "queue.start.title": Words("Aucun événement reçu pour l’instant", "No event received yet"),
    "queue.start.text": Words(
        "Envoyez un premier accès, puis rechargez cette page. Sans source sous la main, la commande « sentinel demo »"
        " fait vivre un hôpital simulé.",
        "Send a first access, then reload this page. Without a source at hand, the command “sentinel demo” brings a "
        "simulated hospital to life.",
    ),
    "queue.start.formats": Words(
        "Les formats et les règles d’envoi sont décrits dans", "Formats and rules for sending are described in"
    ),
    "queue.start.docs": Words("la documentation de l’API", "the API documentation"),
    # counters
    "counters.title": Words("En bref", "At a glance"),
    "counters.today": Words("Alertes aujourd’hui", "Alerts today"),
    "counters.trend": Words("Alertes par jour, 14 derniers jours", "Alerts a day, last 14 days"),
    "counters.events": Words("Événements conservés", "Events kept"),
    "counters.accesses": Words("dont {n} sur un dossier patient", "{n} of them on a patient’s record"),
    "counters.explained": Words("Accès expliqués", "Accesses explained"),
    "counters.explained.text": Words("ont une raison ordinaire", "have an ordinary reason"),
    "counters.alerts": Words("Alertes en tout", "Alerts in all"),
    "counters.rate": Words("soit {share} des accès aux dossiers", "{share} of the accesses to records"),
    # severity
    "severity.low": Words("Faible", "Low"),
    "severity.medium": Words("Moyenne", "Medium"),
    "severity.high": Words("Élevée", "High"),
    "severity.critical": Words("Critique", "Critical"),
    # what the online model finds has no card of a detector
    "detector.watch_list": Words("Accès suivi", "Access followed"),
    "detector.session_trees": Words("Heure de travail inhabituelle", "Unusual hour of work"),
    # one alert
    "alert.back": Words("File des alertes", "Alert queue"),
    "alert.reasons": Words("Ce qui sort de l’ordinaire", "What is out of the ordinary"),
    "alert.observed": Words("Observé", "Observed"),
    "alert.usual.actor": Words("Habituel, cette personne", "Usual, this person"),
    "alert.usual.peers": Words("Habituel, même fonction", "Usual, same role"),
    "alert.unknown": Words("pas encore connu", "not known yet"),
    "alert.chance": Words("par hasard, environ 1 fois sur {n}", "by chance, about 1 time in {n}"),
    "alert.chance.rare": Words("par hasard, moins d’une fois sur un million", "by chance, less than once in a million"),
    "alert.chance.often": Words("par hasard, {share} des fois", "by chance, {share} of the time"),
    "alert.ratio": Words("{n} fois l’habitude de cette personne", "{n} times this person’s usual"),
    "alert.ratio.peers": Words("{n} fois l’habitude de la fonction", "{n} times the role’s usual"),
    "alert.ratio.over": Words("plus de {n}", "over {n}"),
    "alert.unexplained": Words("Aucune raison ordinaire trouvée", "No ordinary reason found"),
    "alert.unexplained.text": Words(
        "Ces raisons ont été cherchées pour chaque accès inexpliqué ; aucune ne s’applique.",
        "These reasons were looked for, for each unexplained access; none applies.",
    ),
    "alert.unexplained.empty": Words(
        "Aucune raison n’a été cherchée : l’alerte ne tient pas à un dossier patient, ou le contexte de soins manque.",
        "No reason was looked for: the alert is not about a patient’s record, or there is no care context.",
    ),
    "alert.window": Words("de {before} avant à {after} après", "from {before} before to {after} after"),
    "alert.window.after": Words("jusqu’à {after} après", "up to {after} after"),
    "alert.evidence": Words("Accès à l’appui", "Evidence"),
    "alert.evidence.striking": Words("Signalés ou sans raison ordinaire", "Flagged, or without an ordinary reason"),
    "alert.evidence.others": Words("Autres accès de la même histoire", "Other accesses of the same story"),
    "alert.evidence.part": Words("Les {shown} premiers sur {total}.", "The first {shown} of {total}."),
    "alert.evidence.none": Words(
        "Les accès à l’appui ne sont plus conservés.", "The accesses behind this alert are no longer kept."
    ),
    "alert.timeline": Words("Accès dans le temps, de {first} à {last}", "Accesses over time, from {first} to {last}"),
    "alert.raw": Words("Enregistrements d’origine", "Original records"),
    "alert.raw.text": Words(
        "Tels que la source les a envoyés ; seule la mise en page est la nôtre.",
        "As the source sent them; only the layout is ours.",
    ),
    "alert.raw.none": Words("Aucun enregistrement d’origine conservé.", "No original record is kept."),
    "alert.copy": Words("Copier", "Copy"),
    "alert.copied": Words("Copié", "Copied"),
    "alert.person": Words("Personne", "Person"),
    "alert.patients": Words("Patients", "Patients"),
    "alert.more": Words("et {n} autres", "and {n} more"),
    "alert.first": Words("Premier accès", "First access"),
    "alert.last": Words("Dernier accès", "Last access"),
    "alert.id": Words("Identifiant de l’alerte", "Alert id"),
    "alert.facts": Words("En bref", "In brief"),
    "alert.json": Words("Voir en JSON", "View as JSON"),
    "alert.suppressed": Words("Masquée par une règle", "Hidden by a rule"),
    "alert.suppressed.text": Words(
        "Conservée sans être signalée : la priorité est celle qu’elle aurait sans les règles.",
        "Kept and not told: the priority is the one it would have without rules.",
    ),
    "alert.raised": Words("Liste de surveillance", "Watch-list"),
    "alert.raised.text": Words(
        "La priorité est relevée par une liste de surveillance.", "The priority is raised by a watch-list."
    ),
    "alert.rules": Words("Règles de masquage", "Rules that hide"),
    "alert.rules.text": Words(
        "Une partie est masquée, ou le serait si l’ensemble n’était pas critique.",
        "Part of it is hidden, or would be, were the whole not critical.",
    ),
    "alert.reason.suppressed": Words("Masqué par la règle {rule}", "Hidden by the rule {rule}"),
    "alert.late": Words("Après coup", "Late"),
    "alert.late.text": Words(
        "Trouvée dans un historique repris après coup, pas au moment des accès.",
        "Found in history that was taken in afterwards, not when the accesses happened.",
    ),
    # accesses
    "access.when": Words("Quand", "When"),
    "access.who": Words("Qui", "Who"),
    "access.what": Words("Quoi", "What"),
    "access.patient": Words("Patient", "Patient"),
    "access.where": Words("D’où", "From where"),
    "access.why": Words("Pourquoi", "Why"),
    "access.unexplained": Words("Aucune raison ordinaire", "No ordinary reason"),
    "access.declared": Words("Motif déclaré{colon} {text}", "Declared{colon} {text}"),
    "access.flagged": Words("Signalé{colon} {detectors}", "Flagged{colon} {detectors}"),
    "access.none": Words("Aucun accès conservé sur cette période.", "No access is kept for this period."),
    "access.older": Words("Accès plus anciens", "Older accesses"),
    "access.newest": Words("Accès les plus récents", "Latest accesses"),
    "access.to": Words("vers{colon} {destination}", "to{colon} {destination}"),
    "access.sensitivity": Words("sensibilité {label}", "sensitivity {label}"),
    "access.table": Words("Accès, du plus récent au plus ancien", "Accesses, latest first"),
    # periods
    "period.since": Words("Du", "From"),
    "period.until": Words("au", "to"),
    "period.apply": Words("Appliquer", "Apply"),
    "period.all": Words("Toute la période", "All time"),
    "period.form": Words("Période", "Period"),
    "period.from": Words("depuis le {since}", "since {since}"),
    "period.to": Words("jusqu’au {until}", "until {until}"),
    "period.between": Words("du {since} au {until}", "from {since} to {until}"),
    "csv": Words("Télécharger en CSV", "Download as CSV"),
    # one patient
    "patient.title": Words("Patient", "Patient"),
    "patient.text": Words(
        "Qui a consulté ce dossier, quand, d’où et pourquoi.", "Who opened this record, when, from where and why."
    ),
    "patient.people": Words("Par personne", "By person"),
    "patient.accesses": Words("Tous les accès", "All accesses"),
    "patient.alerts": Words("Alertes sur ce patient", "Alerts on this patient"),
    "patient.report": Words("Rapport à imprimer", "Report to print"),
    "patient.count": Words("Accès", "Accesses"),
    "patient.actors": Words("Personnes et services", "People and services"),
    "patient.explained": Words("Expliqués", "Explained"),
    "patient.unexplained": Words("Sans raison ordinaire", "Without an ordinary reason"),
    "patient.first": Words("Premier", "First"),
    "patient.last": Words("Dernier", "Last"),
    "patient.split": Words(
        "{explained} expliqués, {unexplained} sans raison ordinaire",
        "{explained} explained, {unexplained} without an ordinary reason",
    ),
    # the report for a patient
    "report.title": Words("Relevé des accès à un dossier de santé", "Statement of accesses to a health record"),
    "report.patient": Words("Dossier du patient", "Record of the patient"),
    "report.period": Words("Période", "Period"),
    "report.made": Words("Établi le", "Made on"),
    "report.by": Words("Établissement", "Organisation"),
    "report.kept": Words("{accesses} par {people}.", "{accesses} by {people}."),
    "report.people": Words("Qui a consulté le dossier", "Who opened the record"),
    "report.accesses": Words("Chaque accès", "Each access"),
    "report.cut": Words(
        "Ce relevé s’arrête aux {n} accès les plus récents. Choisissez une période plus courte pour voir les autres.",
        "This statement stops at the {n} latest accesses. Choose a shorter period to see the others.",
    ),
    "report.note": Words(
        "« Pourquoi » donne la raison ordinaire qui explique l’accès d’après l’activité de soins connue de "
        "l’établissement. « Aucune raison ordinaire » ne veut pas dire que l’accès est illégitime : il peut manquer "
        "une information.",
        "“Why” gives the ordinary reason that explains the access, from the care activity known to the organisation. "
        "“No ordinary reason” does not mean that the access is illegitimate: some information may be missing.",
    ),
    "report.print": Words("Imprimer", "Print"),
    "report.back": Words("Retour au patient", "Back to the patient"),
    # one person or service
    "actor.title": Words("Personne", "Person"),
    "actor.text": Words("Ce que cette personne ou ce service a fait, et quand.", "What this person or service did, and when."),
    "actor.week": Words("Heures d’activité", "Hours of activity"),
    "actor.week.text": Words("{n} selon l’heure et le jour.", "{n} by hour and weekday."),
    "actor.week.busiest": Words("Le plus souvent : {day}, {hour} h.", "Most often: {day}, {hour}:00."),
    "actor.week.less": Words("moins", "fewer"),
    "actor.week.more": Words("plus", "more"),
    "actor.week.figures": Words("Voir les chiffres", "See the figures"),
    "actor.week.cell": Words("{day} {hour} h : {n}", "{day} {hour}:00: {n}"),
    "actor.week.day": Words("Jour", "Day"),
    "actor.accesses": Words("Tous les événements", "All events"),
    "actor.alerts": Words("Alertes sur cette personne", "Alerts on this person"),
    "actor.alerts.none": Words("Aucune alerte.", "No alert."),
    "actor.alerts.all": Words("Voir dans la file", "See in the queue"),
    "actor.rpps": Words("RPPS {rpps}", "RPPS {rpps}"),
    # search
    "search.title": Words("Recherche", "Search"),
    "search.both": Words("Cet identifiant désigne plusieurs choses :", "This id names several things:"),
    "search.nothing": Words("Rien n’est conservé sous cet identifiant", "Nothing is kept under this id"),
    "search.nothing.text": Words(
        "La recherche est exacte, majuscules comprises. Vérifiez l’identifiant tel que la source l’envoie.",
        "The search is exact, capitals included. Check the id as the source sends it.",
    ),
    "search.alert": Words("Voir l’alerte", "See the alert"),
    "search.patient": Words("Voir le patient", "See the patient"),
    "search.actor": Words("Voir la personne", "See the person"),
    # about
    "about.title": Words("À propos", "About"),
    "about.text": Words(
        "Sentinel dit qui a consulté un dossier de santé, quand, d’où et pourquoi, et signale les accès que rien "
        "d’ordinaire n’explique.",
        "Sentinel tells who opened a health record, when, from where and why, and flags the accesses that nothing "
        "ordinary explains.",
    ),
    "about.version": Words("Version", "Version"),
    "about.tenant": Words("Responsable de traitement", "Controller"),
    "about.zone": Words("Fuseau horaire", "Time zone"),
    "about.detectors": Words("Détecteurs actifs", "Detectors enabled"),
    "about.detectors.none": Words("Aucun détecteur n’est actif.", "No detector is enabled."),
    "about.model": Words("Modèle appris en ligne", "Model learnt online"),
    "about.model.none": Words("éteint", "off"),
    "about.what": Words("Ce qu’il signale", "What it flags"),
    "about.why": Words("Pourquoi", "Why"),
    "about.false": Words("Fausses alertes possibles", "Possible false alerts"),
    "about.needs": Words("Ce qu’il lui faut", "What it needs"),
    "about.needs.nothing": Words("Rien de plus que les événements.", "Nothing beyond the events."),
    "about.references": Words("Références", "References"),
    "about.reasons": Words("Raisons ordinaires cherchées", "Ordinary reasons looked for"),
    "about.reasons.text": Words(
        "Écrites par des personnes, jamais apprises des données. Un accès qui en a une est conservé avec elle.",
        "Written by people, never learnt from data. An access that has one is kept with it.",
    ),
    "about.reason": Words("Raison", "Reason"),
    "about.window": Words("Valable", "Holds"),
    "about.window.during": Words("tant que le lien existe", "while the link lasts"),
    # errors
    "error.404.title": Words("Page introuvable", "Page not found"),
    "error.404.text": Words(
        "Cette adresse ne mène à rien : l’alerte ou la page n’existe pas, ou n’existe plus.",
        "Nothing is at this address: the alert or page does not exist, or no longer does.",
    ),
    "error.400.title": Words("Demande illisible", "Unreadable request"),
    "error.400.text": Words(
        "Une date, une page ou un filtre de l’adresse n’a pas la forme attendue.",
        "A date, page or filter in the address is not of the form expected.",
    ),
    "error.401.title": Words("Accès réservé", "Restricted access"),
    "error.401.text": Words("Cette console demande un jeton d’accès.", "This console asks for an access token."),
    "error.403.title": Words("Accès refusé", "Access refused"),
    "error.403.text": Words("Cette demande n’est pas permise d’ici.", "This request is not allowed from here."),
    "error.500.title": Words("Une erreur est survenue", "Something went wrong"),
    "error.500.text": Words(
        "La page n’a pas pu être préparée. Les événements continuent d’être reçus et conservés. Si cela dure, voyez "
        "le journal du service.",
        "The page could not be prepared. Events are still received and kept. If this lasts, see the service’s log.",
    ),
    "error.503.title": Words("Le moteur de détection ne répond pas", "The detection worker is not answering"),
    "error.503.text": Words(
        "Il démarre, ou il se remet d’un arrêt. Rien n’est perdu : les événements reçus sont sur disque et seront "
        "traités. Réessayez dans quelques secondes.",
        "It is starting, or recovering from a stop. Nothing is lost: the events received are on disk and will be "
        "processed. Try again in a few seconds.",
    ),
    "error.retry": Words("Réessayer", "Try again"),
    "error.home": Words("File des alertes", "Alert queue"),
    # time
    "ago.now": Words("à l’instant", "just now"),
    "ago.minutes": Words("il y a {n} min", "{n} min ago"),
    "ago.hours": Words("il y a {n} h", "{n} h ago"),
    "ago.days": Words("il y a {n} j", "{n} d ago"),
    "in.minutes": Words("dans {n} min", "in {n} min"),
    "in.hours": Words("dans {n} h", "in {n} h"),
    "in.days": Words("dans {n} j", "in {n} d"),
    # the event's value sets (sentinel.core.event)
    "action.login": Words("connexion", "login"),
    "action.login-failed": Words("échec de connexion", "failed login"),
    "action.logout": Words("déconnexion", "logout"),
    "action.search": Words("recherche", "search"),
    "action.read": Words("consultation", "read"),
    "action.create": Words("création", "create"),
    "action.update": Words("modification", "update"),
    "action.delete": Words("suppression", "delete"),
    "action.export": Words("export", "export"),
    "action.import": Words("import", "import"),
    "action.print": Words("impression", "print"),
    "action.share": Words("partage", "share"),
    "action.permission-change": Words("changement de droits", "permission change"),
    "action.break-glass": Words("accès en urgence (bris de glace)", "emergency access (break-glass)"),
    "action.execute": Words("exécution", "execute"),
    "action.other": Words("autre", "other"),
    "outcome.success": Words("réussi", "success"),
    "outcome.minor-failure": Words("échec mineur", "minor failure"),
    "outcome.serious-failure": Words("échec sérieux", "serious failure"),
    "outcome.major-failure": Words("échec majeur", "major failure"),
    "outcome.unknown": Words("issue inconnue", "outcome unknown"),
    "actor-type.human": Words("personne", "person"),
    "actor-type.service": Words("service", "service"),
    "actor-type.patient": Words("patient", "patient"),
    "destination.removable": Words("support amovible", "removable media"),
    "destination.email": Words("courriel", "e-mail"),
    "destination.paper": Words("papier", "paper"),
    "destination.link": Words("lien", "link"),
    "destination.other": Words("autre", "other"),
    # columns of the CSV
    "csv.occurred_at": Words("quand", "when"),
    "csv.actor_id": Words("personne", "person"),
    "csv.actor_role": Words("fonction", "role"),
    "csv.actor_unit": Words("unite", "unit"),
    "csv.action": Words("action", "action"),
    "csv.outcome": Words("issue", "outcome"),
    "csv.patient_id": Words("patient", "patient"),
    "csv.resource_type": Words("type_de_ressource", "resource_type"),
    "csv.resource_id": Words("ressource", "resource"),
    "csv.resource_count": Words("nombre", "count"),
    "csv.client_address": Words("adresse", "address"),
    "csv.device": Words("poste", "device"),
    "csv.application": Words("application", "application"),
    "csv.site": Words("site", "site"),
    "csv.explained_by": Words("raison_ordinaire", "ordinary_reason"),
    "csv.purpose": Words("finalite_declaree", "declared_purpose"),
    "csv.reason": Words("motif_declare", "declared_reason"),
    "csv.detectors": Words("detecteurs", "detectors"),
    "csv.source": Words("source", "source"),
    "csv.id": Words("evenement", "event"),
}

COUNTED: Final[dict[str, Counted]] = {
    "n.patients": Counted(Words("{n} patient", "{n} patient"), Words("{n} patients", "{n} patients")),
    "n.accesses": Counted(Words("{n} accès", "{n} access"), Words("{n} accès", "{n} accesses")),
    "n.events": Counted(Words("{n} événement", "{n} event"), Words("{n} événements", "{n} events")),
    "n.records": Counted(Words("{n} élément", "{n} record"), Words("{n} éléments", "{n} records")),
    "n.people": Counted(
        Words("{n} personne ou service", "{n} person or service"), Words("{n} personnes ou services", "{n} people or services")
    ),
    "n.days": Counted(Words("{n} jour", "{n} day"), Words("{n} jours", "{n} days")),
    "n.new": Counted(Words("{n} nouvelle alerte", "{n} new alert"), Words("{n} nouvelles alertes", "{n} new alerts")),
    "n.alerts": Counted(Words("{n} alerte", "{n} alert"), Words("{n} alertes", "{n} alerts")),
}

WEEKDAYS: Final = Words(
    "lundi mardi mercredi jeudi vendredi samedi dimanche", "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
)
WEEKDAYS_SHORT: Final = Words("lun. mar. mer. jeu. ven. sam. dim.", "Mon Tue Wed Thu Fri Sat Sun")
MONTHS: Final = Words(
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "January February March April May June July August September October November December",
)
MONTHS_SHORT: Final = Words(
    "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.", "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
)
