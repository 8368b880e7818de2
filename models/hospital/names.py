"""French names and addresses: common ones by their frequency, rare ones put together."""

from __future__ import annotations

from itertools import product

from .draw import Draw, Weighted

# The commonest family names of France, most frequent first.
COMMON = """Martin Bernard Thomas Petit Robert Richard Durand Dubois Moreau Laurent Simon Michel
Lefebvre Leroy Roux David Bertrand Morel Fournier Girard Bonnet Dupont Lambert Fontaine Rousseau
Vincent Müller Lefèvre Faure André Mercier Blanc Guérin Boyer Garnier Chevalier François Legrand
Gauthier Garcia Perrin Robin Clément Morin Nicolas Henry Roussel Mathieu Gautier Masson Marchand
Duval Denis Dumont Marie Lemaire Noël Meyer Dufour Meunier Brun Blanchard Giraud Joly Rivière Lucas
Brunet Gaillard Barbier Arnaud Martinez Gérard Roche Renard Schmitt Roy Leroux Colin Vidal Caron
Picard Roger Fabre Aubert Lemoine Renaud Dumas Lacroix Olivier Philippe Bourgeois Pierre Benoît Rey
Leclerc Payet Rolland Leclercq Guillaume Lecomte Lopez Jean Dupuy Guillot Hubert Berger Carpentier
Sanchez Dupuis Moulin Louis Deschamps Huet Vasseur Perez Boucher Fleury Royer Klein Jacquet Adam
Paris Poirier Marty Aubry Guyot Carré Charles Renault Charpentier Ménard Maillard Baron Bertin
Bailly Hervé Schneider Fernandez Le Gall Collet Léger Bouvier Julien Prévost Millet Perrot Daniel
Le Roux Cousin Germain Breton Besson Langlois Rémy Le Goff Pelletier Lévêque Perrier Leblanc Barré
Lebrun Marchal Weber Mallet Hamon Boulanger Jacob Monnier Michaud Rodriguez Guichard Gillet Étienne
Grondin Poulain Tessier Chevallier Collin Chauvin Da Silva Bouchet Gay Lemaître Bénard Maréchal
Humbert Reynaud Antoine Hoarau Perret Barthélemy Cordier Pichon Lejeune Gilbert Lamy Delaunay
Pasquier Carlier Laporte Ferreira Pereira Dos Santos Fernandes Rodrigues Diallo Traoré Nguyen
Benali Haddad Saïdi Cissé Kone Tran Yilmaz Belkacem""".replace("\n", " ")

_PARTICLES = {"Le", "Da", "Dos"}
_ONSETS = (
    "Bar Bel Ber Bou Bri Cal Cas Chan Char Cor Cou Dal Des Dor Fal Fer Flo Gar Gou Gra Jar Lan Lar Lau Mal Mar Mon Mou Nar Oli "
    "Pal Per Pon Quer Ram Riv Ros Sar Sau Ser Tal Tho Tour Val Ver Vil"
)
_MIDDLES = ["ba", "che", "de", "di", "go", "la", "li", "me", "mi", "ne", "no", "ri", "ro", "ta", "ve"]
_CODAS = ["lier", "det", "nac", "neau", "sson", "gnon", "toux", "rel", "bert", "quin", "zet", "vin"]

WOMEN = {
    1940: "Marie Jeanne Monique Jacqueline Denise Yvette Simone Odette Thérèse Colette Huguette",
    1955: "Françoise Martine Nicole Catherine Christine Annie Chantal Brigitte Michèle Sylvie",
    1970: "Nathalie Isabelle Sandrine Valérie Stéphanie Karine Véronique Sophie Florence Laurence",
    1985: "Aurélie Émilie Julie Céline Élodie Laetitia Mélanie Marion Audrey Vanessa Fatima Amina",
    2000: "Léa Manon Camille Chloé Emma Sarah Inès Laura Pauline Mathilde Anaïs Clara Océane Lina",
    2012: "Louise Jade Alice Ambre Lina Rose Mila Anna Julia Romy Inaya Agathe Zoé Nour Éva",
}
MEN = {
    1940: "Jean Pierre André René Roger Marcel Robert Henri Georges Lucien Raymond Maurice",
    1955: "Michel Alain Bernard Daniel Gérard Patrick Christian Jacques Claude Dominique Serge",
    1970: "Philippe Éric Thierry Pascal Laurent Christophe Olivier Frédéric Stéphane David Bruno",
    1985: "Nicolas Julien Sébastien Guillaume Mathieu Jérôme Cédric Benoît Romain Karim Mehdi",
    2000: "Thomas Lucas Hugo Alexandre Maxime Antoine Théo Quentin Clément Enzo Yanis Bastien",
    2012: "Gabriel Léo Raphaël Louis Jules Adam Arthur Noah Maël Sacha Ibrahim Nathan Malo Isaac",
}

TOWNS = [("Valmont-sur-Ourse", "41210"), ("Saint-Aubin-des-Prés", "41220"), ("Courtenelle", "41230"),
         ("La Ferté-Brenne", "41240"), ("Montreuil-le-Gué", "41250"), ("Villeneuve-aux-Bois", "41260"),
         ("Chantepie-en-Val", "41270"), ("Les Essarts-Blancs", "41280")]  # fmt: skip
_WAYS = ["rue", "avenue", "allée", "impasse", "chemin", "place", "boulevard"]
_CALLED = """de la Gare;des Lilas;du Moulin;de l'Église;Victor Hugo;Jean Jaurès;des Tilleuls;Pasteur
;du Stade;de Verdun;des Écoles;du Château;de la Fontaine;des Vignes;du 8 Mai 1945;de la Mairie
;des Peupliers;Jules Ferry;de la République;des Acacias;du Bois;des Jardins;de l'Étang;du Lavoir
;de la Croix;des Roses;du Port;Émile Zola;de la Liberté;des Marronniers;du Cimetière;des Champs
;du Pré;de Bellevue;de la Poste;des Cerisiers""".replace("\n", "").split(";")

RARE_SHARE = 0.72  # the names above hold about 28 % of the population


def _common() -> list[str]:
    words, names = COMMON.split(), []
    for i, word in enumerate(words):
        if i and words[i - 1] in _PARTICLES:
            continue
        names.append(f"{word} {words[i + 1]}" if word in _PARTICLES else word)
    return names


FAMILIES = Weighted((name, 1 / (12 + rank)) for rank, name in enumerate(_common()))
RARE = ["".join(parts) for parts in product(_ONSETS.split(), _MIDDLES, _CODAS)]


def family(draw: Draw) -> str:
    """Return a family name: common ones by frequency, else one of some 8,000 rare ones."""
    # The square gathers rare names a little: regional names are shared by more than two families.
    return RARE[int(len(RARE) * draw.u() ** 2)] if draw.chance(RARE_SHARE) else draw.weighted(FAMILIES)


def given(draw: Draw, gender: str, birth_year: int) -> str:
    """Return a given name usual for the gender (`female` or `male`) and the year of birth."""
    table = WOMEN if gender == "female" else MEN
    drifted = birth_year + draw.bell() * 7
    era = min(table, key=lambda year: abs(year - drifted))
    return draw.pick(table[era].split())


def address(draw: Draw) -> tuple[int, str, str, str]:
    """Return house number, street, town and postal code: 8 towns of about 250 streets each."""
    town, code = draw.pick(TOWNS)
    return draw.between(1, 60), f"{draw.pick(_WAYS)} {draw.pick(_CALLED)}", town, code
