"""A red team's names for special categories and their proxies are flagged; what a shop sells every day is not."""

from __future__ import annotations

import pytest

from heedful.privacy.sensitive import SPECIAL, flags
from tests.services.shop import Shop

RED_TEAM: dict[str, str] = {
    "health": """
        has_diabetes, isPregnant, likely pregnant, pregnancy-score, PREGNANCY_WEEK, cancer_survivor, Cancer
        Patients, HIV status, hivPositive, depression_risk, Depressed users, anxiety segment,
        mental_health_interest, ADHD, adhd_adults, autism_parent, bipolar, schizophrenia, suicide_risk,
        insomnia, sleep apnea, asthmatic, allergy_sufferers, pollen allergies, vaccinated, vaccine_hesitant,
        covid_positive, Long Covid, obesity, overweight, bmi, BMI_over_30, weightLoss_seeker, dietPlan,
        anorexia_risk, bulimic, alcoholics, recovering addict, rehab_visitor, opioid_user, smokers, quit
        smoking, ivf_patient, fertility-treatment, ovulation_tracker, menstruation, menopausal,
        contraception_user, abortion_visitor, erectile dysfunction, viagra_buyers, incontinence,
        insulin_user, glucose_monitor, blood pressure high, cholesterol, cardiac_risk, dialysis,
        kidney_disease, wheelchair_user, disabled, Disability Benefits, hearing aid buyers, blind_users,
        deaf, epileptic, alzheimers_carer, dementia, parkinsons, pharmacy_customer, prescription_refill,
        medicationAdherence, clinic_visits, hospitalised, patient_portal, therapy_seeker,
        psychologist_visits, psychiatric, chemo, oncology, hepatitis_c, sti_test, sexual_health, schwanger,
        Gesundheitszustand, embarazo, salud, santé, maladie, sickness_leave, symptom_checker,
        transplant_list, genetic_test_buyer
    """,
    "sex life": """
        gay, gay_men, Lesbian couples, bisexual, transgender, trans_women, nonBinary, non-binary,
        queer_events, LGBTQ+, lgbt_friendly, Pride attendees, sexual_orientation, sexualPreference,
        homosexual, orientation, fetish_wear, bdsm, kinky, erotica_readers, porn_consumption, sex toys,
        adult_toys, escort_services, grindr_user, swingers, polyamorous, gender identity, pronouns,
        same_sex_household, coming-out, heterosexual, asexual, sexy_lingerie, drag queen
    """,
    "religion": """
        religion, religious_affinity, Christian, christians_us, catholic, Evangelicals, mormon, jehovahs
        witness, muslim, muslim_holiday, islamic_fashion, hijab_buyers, halalShopper, mosque_visits,
        ramadan_2026, eid_gifts, quran, jewish, jew, kosher_buyers, synagogue, Hanukkah Shoppers,
        shabbat_offline, hindu, buddhist, sikh_community, jain, church_goer, churchAttendance, bible_study,
        gospel_music_fans, prayer_app, rosary, baptism_gifts, atheist, agnostics, scientology, wiccan,
        satanist, faith_based, kirchensteuer, iglesia, zakat_donor, hajj_traveller
    """,
    "politics": """
        political_leaning, politics_score, democrat, Republicans, conservative_audience, liberal, socialist,
        communist, labour party, tory_voter, gop_donor, left-wing, rightWing, far_right, marxist,
        nationalist, populist_readers, likely_voter, registered voters, voting_intent, election_interest,
        party_member, maga_hat, brexiteer, antifa, blm_supporter, activists, protest_attendee,
        petition_signers, pro-life, pro_choice, gun_rights, gun control, anarchist, green_party,
        Wahlabsicht, Partei
    """,
    "ethnicity": """
        ethnicity, ethnic_affinity, race, racial_group, african_american, afro_hair, hispanic, Latino
        Households, latinx, asian, southAsian, arab_speakers, roma, sinti, indigenous, native american,
        aboriginal, maori, tribal_member, caste, dalit, skin_tone, skinColour, skin whitening, nationality,
        migrants, immigrant_household, refugee_status, asylum_seeker, citizenship, mixed-race, ancestry,
        dna_ancestry, surname_origin, mother_tongue, kurdish, uyghur, black_owned
    """,
    "trade union": """
        union_member, union members, trade-union, tradeUnionist, labor_union, unionised, unionization_risk,
        collective bargaining, shop_steward, strike_fund, picket_line, Gewerkschaft, syndicat, sindicato
    """,
    "biometrics and genetics": """
        biometric_id, fingerprint_hash, faceprint, face_id, facial-recognition, irisScan, retina_scan,
        voiceprint, gait_profile, dna, DNA Test, genetics, genome_kit, brca1, chromosome, heart_rate_avg,
        ecg, eeg_band, emotion_detection, palm print, hereditary_risk
    """,
    "sensitive by US law": """
        ssn, social_security_number, passport_no, drivers_license, national_id, tax_id, precise_location,
        geolocation, gps_tracks, immigration_status, criminal_record, convictions, arrested, felon,
        ex_offender, prison_visits, bankruptcy, payday_loan_seeker, credit_score, debt_consolidation,
        gambling_addict, casino_visits, victims, domestic-violence, military veteran
    """,
}

PLAIN = """
        tents, stoves, Camping Gear, shoes, running shoes, books, novels, kitchen, garden, toys,
        electronics, phones, laptop, jackets, winter, summer_sale, new arrivals, returning_visitors, big
        spenders, newsletter, cart_abandoners, price_sensitive, weekend, evening, mobile, desktop,
        first_order, loyal, vip, gold, plan, city, language, currency, sports, football, music, films,
        comics, games, puzzles, furniture, lamps, rugs, curtains, coffee, tea, wine glasses, pasta,
        chocolate, bicycles, car parts, tools, paint, office, stationery, pens, bags, luggage, watches,
        jewellery, gift cards, photo, cameras, drones, batteries, baby clothes, pets, dogs, cats, aquarium,
        plants, seeds
    """


def test_an_owner_is_told_and_what_is_flagged_is_neither_shown_nor_gone_by() -> None:
    shop = Shop()
    for walker in range(4):
        shop.views(f"walker{walker}", "test-kit", "tent", "map")
    (fate,) = shop.put_item("test-kit", title="Kit", categories=["HIV tests"]).events
    assert (fate.status, fate.code, fate.path) == ("accepted", "sensitive_name", "$.categories[0]")
    shop.views("ada", "test-kit")
    assert shop.recommend("ada").personalized
    assert "test-kit" in shop.ids("walker9")
    (fate,) = shop.put_item("test-kit", categories=["HIV tests"], properties={"sensitive": True}).events
    assert not fate.code
    assert not shop.recommend("ada").personalized
    assert "test-kit" not in shop.ids("walker9")
    assert shop.recommend("walker9", explain=True, limit=100).trace["removed"]["sensitive"] == ["test-kit"]  # type: ignore[index]
    shop.put_item("test-kit", categories=["HIV tests"], properties={"sensitive": False})
    assert shop.recommend("ada").personalized


def names(text: str) -> list[str]:
    return [name for each in text.split(",") if (name := " ".join(each.split()))]


def test_there_are_three_hundred_names() -> None:
    every = [name for text in RED_TEAM.values() for name in names(text)]
    assert len(set(every)) >= 300
    assert RED_TEAM.keys() == SPECIAL.keys()


@pytest.mark.parametrize("category", RED_TEAM)
def test_every_name_of_a_special_category_is_flagged_as_it(category: str) -> None:
    assert [name for name in names(RED_TEAM[category]) if category not in flags(name)] == []


def test_what_a_shop_sells_is_not_flagged() -> None:
    assert [(name, flags(name)) for name in names(PLAIN) if flags(name)] == []
